// Rules of request fields: a value and its rule in, violations out, all of them at once.
import type {FieldViolation} from '../errors.js';

export const idPattern = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
export const splitPattern = /^[a-z]([_a-z0-9]{0,61}[a-z0-9])?$/;

export class FieldRules {
  readonly violations: FieldViolation[] = [];

  violate(field: string, description: string): void {
    this.violations.push({field, description});
  }

  /** RFC 1034 label. */
  id(field: string, value: string | undefined): void {
    if (value !== undefined && !idPattern.test(value))
      this.violate(field, `must be 1 to 63 characters, [a-z]([-a-z0-9]*[a-z0-9])?, current value is ${shown(value)}`);
  }

  split(field: string, value: string): void {
    if (!splitPattern.test(value))
      this.violate(field, `must be 1 to 63 characters, [a-z]([_a-z0-9]*[a-z0-9])?, current value is ${shown(value)}`);
  }

  integer(field: string, value: number, least: number, most: number): void {
    if (!(Number.isInteger(value) && value >= least && value <= most))
      this.violate(field, `must be a whole number from ${least} to ${most}, current value is ${value}`);
  }

  number(field: string, value: number, isRight: (value: number) => boolean, rule: string): void {
    if (!(Number.isFinite(value) && isRight(value))) this.violate(field, `must be ${rule}, current value is ${value}`);
  }

  labels(labels: Record<string, string>): void {
    const entries = Object.entries(labels);
    if (entries.length > 64) this.violate('labels', `must be at most 64, current number is ${entries.length}`);
    if (entries.some(([key, value]) => key === '' || key.length > 63 || value.length > 63))
      this.violate('labels', 'must have keys of 1 to 63 and values of at most 63 characters');
  }
}

export const shown = (value: string): string => JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
