// The shape of a request: collects every broken rule, then throws once.
import {type FieldViolation, invalidFields} from '../errors.js';
import type {Page} from '../runs/api.js';
import {idPattern, shown, splitPattern} from '../runs/field-rules.js';
import type {Duration} from './gen/google/protobuf/duration.js';

const idRule = 'must be 1 to 63 characters, [a-z]([-a-z0-9]*[a-z0-9])?';
const uuid4Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
const maxLabels = 64;
const maxLabelLength = 63;

export class RequestChecks {
  readonly violations: FieldViolation[] = [];

  /** what: the attempt, such as 'Cannot train a reference model'. */
  constructor(private readonly what: string) {}

  get isBroken(): boolean {
    return this.violations.length > 0;
  }

  violate(field: string, description: string): void {
    this.violations.push({field, description});
  }

  /** The id inside a resource name; '' when broken. */
  name(field: string, collection: 'datasets' | 'runs' | 'dataMaps', value: string): string {
    const [found, id, ...rest] = value.split('/');
    if (found === collection && rest.length === 0 && idPattern.test(id ?? '')) return id;
    const rule = `must be ${collection}/{id}, whose id ${idRule}`;
    this.violate(field, value === '' ? `is required; it ${rule}` : `${rule}, current value is ${shown(value)}`);
    return '';
  }

  /** An id that the caller may choose; undefined when left out. */
  id(field: string, value: string): string | undefined {
    if (value !== '' && !idPattern.test(value)) this.violate(field, `${idRule}, current value is ${shown(value)}`);
    return value || undefined;
  }

  split(field: string, value: string): string {
    if (!splitPattern.test(value))
      this.violate(field, `must be 1 to 63 characters, [a-z]([_a-z0-9]*[a-z0-9])?, current value is ${shown(value)}`);
    return value;
  }

  required(field: string, value: string): string {
    if (value === '') this.violate(field, 'is required');
    return value;
  }

  requestId(value: string): void {
    if (value !== '' && !uuid4Pattern.test(value))
      this.violate('request_id', `must be a UUID4, current value is ${shown(value)}`);
  }

  labels(labels: Record<string, string>): void {
    const entries = Object.entries(labels);
    if (entries.length > maxLabels)
      this.violate('labels', `must be at most ${maxLabels}, current number is ${entries.length}`);
    for (const [key, value] of entries.slice(0, maxLabels))
      if (key === '' || key.length > maxLabelLength || value.length > maxLabelLength)
        this.violate(
          `labels[${shown(key)}]`,
          `must have a key of 1 and a value of at most ${maxLabelLength} characters`,
        );
  }

  /** AIP-158: 50 when unset, silently 1000 at most. */
  page({pageSize, pageToken}: Page): Page {
    if (pageSize < 0) this.violate('page_size', `must not be negative, current value is ${pageSize}`);
    return {pageSize: pageSize === 0 ? 50 : Math.min(pageSize, 1000), pageToken};
  }

  /** Looks a wire enum up in its table; values that the contract does not have are violations. */
  choice<T>(field: string, table: Readonly<Record<number, T>>, value: number): T | undefined {
    if (!(value in table))
      this.violate(field, `must be a value of its enum other than unspecified or unknown, current value is ${value}`);
    return table[value];
  }

  /** Milliseconds; undefined when unset. */
  duration(field: string, value: Duration | undefined, leastMs: number): number | undefined {
    if (value === undefined) return undefined;
    const milliseconds = value.seconds * 1000 + value.nanos / 1e6;
    if (milliseconds < leastMs)
      this.violate(field, `must be at least ${leastMs / 1000} s, current value is ${milliseconds / 1000} s`);
    return milliseconds;
  }

  notNegative(field: string, value: number): void {
    if (value < 0) this.violate(field, `must not be negative, current value is ${value}`);
  }

  /** INVALID_ARGUMENT with all violations, else UNIMPLEMENTED naming all fields that are not honoured. */
  throwIfAny(): void {
    if (this.isBroken) throw invalidFields(this.what, this.violations);
  }
}
