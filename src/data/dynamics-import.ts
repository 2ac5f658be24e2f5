// What imported dynamics are made of: instances by guid, one column an epoch, and the faults that are found on the way.
import {type FieldViolation, FtftError} from '../errors.js';

/** Dynamics that were recorded elsewhere, every epoch whole. */
export interface ImportedDynamics {
  /** In the order of the columns; undefined where they are those of the data set. */
  guids: string[] | undefined;
  /** Gold class of each instance; -1 where the import does not say. */
  golds: Int32Array;
  /** 0 where the import does not say. */
  numClasses: number;
  epochs: ImportedEpoch[];
  /** What did not stop the import. */
  warnings: string[];
}

/** [numInstances * numClasses] of logits, or [numInstances] of p_true and of 0 and 1. */
export type ImportedEpoch = {logits: Float32Array} | {pTrue: Float32Array; isCorrect: Uint8Array};

/** Instances of the split that was trained on. */
export interface KnownInstances {
  /** For messages, such as datasets/pets, split train. */
  name: string;
  indexOf: ReadonlyMap<string, number>;
  labels: Int32Array;
  classNames: readonly string[];
  /** Class index in the data set of each class of the import; undefined where the order is the same. */
  classOrder?: readonly number[];
}

export interface DynamicsOptions {
  known?: KnownInstances;
  /** Instead of refusing the import for a last epoch that lacks instances. */
  dropPartialLastEpoch: boolean;
  /** Of one log or table, unpacked; 8 GiB. */
  maxBytes?: number;
  /** Where a Parquet file lies while it is read; the system's folder for temporary files when undefined. */
  temporaryFolder?: string;
  /** Of the columns that are held until the import is whole; 2 GiB. */
  maxColumnBytes?: number;
}

const maxFaults = 20;

/** The first things that are wrong with the bytes of an import, by their place. */
export class Faults {
  readonly violations: FieldViolation[] = [];

  /** Throws once there are enough of them. */
  add(field: string, description: string): void {
    this.violations.push({field, description});
    if (this.violations.length >= maxFaults) this.throwIfAny();
  }

  /** INVALID_ARGUMENT/ROWS_INVALID. */
  throwIfAny(): void {
    const {violations} = this;
    if (violations.length === 0) return;
    const [{field, description}] = violations;
    const more = violations.length === 1 ? '' : `; ${violations.length - 1} more`;
    const rest = violations.length < maxFaults ? '' : ', and the rest was not read';
    throw new FtftError('INVALID_ARGUMENT', `Cannot import dynamics: ${field}: ${description}${more}${rest}`, {
      reason: 'ROWS_INVALID',
      violations,
    });
  }
}

/** More is a mistake. */
export const maxClasses = 10_000;

/** V8's Map holds 2^24 entries at most. */
const maxInstances = 16_000_000;

/** The index of a guid that is new. */
export function addGuid(guids: string[], indexOf: Map<string, number>, guid: string): number {
  if (guids.length >= maxInstances)
    throw new FtftError('RESOURCE_EXHAUSTED', `Cannot import dynamics: expected at most ${maxInstances} instances`, {
      reason: 'MESSAGE_TOO_LARGE',
    });
  indexOf.set(guid, guids.length);
  return guids.push(guid) - 1;
}

type Values = Float32Array | Int32Array | Uint8Array;

/** What the columns of one import may hold, all together. */
export class ColumnBudget {
  private heldBytes = 0;

  constructor(private readonly maxBytes = 2 ** 31) {}

  /** RESOURCE_EXHAUSTED/MESSAGE_TOO_LARGE when it is spent; gives back when negative. */
  take(bytes: number): void {
    this.heldBytes += bytes;
    if (this.heldBytes <= this.maxBytes) return;
    throw new FtftError(
      'RESOURCE_EXHAUSTED',
      `Cannot import dynamics: expected at most ${this.maxBytes} bytes of columns, found more; leave out the logits, or epochs`,
      {reason: 'MESSAGE_TOO_LARGE'},
    );
  }
}

/** A column whose length is not known before its values have come, in any order. */
export class GrowingColumn<T extends Values> {
  private values: T;

  /** Values not set are `missing`. */
  constructor(
    private readonly budget: ColumnBudget,
    private readonly make: (length: number) => T,
    private readonly missing = 0,
    capacity = 16,
  ) {
    this.values = this.fresh(capacity);
  }

  get(index: number): number {
    return index < this.values.length ? this.values[index] : this.missing;
  }

  set(index: number, value: number): void {
    if (index >= this.values.length) this.resize(Math.max(index + 1, 2 * this.values.length));
    this.values[index] = value;
  }

  /** As it was made, its memory kept. */
  clear(): void {
    this.values.fill(this.missing);
  }

  /** The column itself, or where its length is another, one in its place. */
  toArray(length: number): T {
    if (length !== this.values.length) this.resize(length);
    return this.values;
  }

  private fresh(length: number): T {
    // Before there is an array to measure: its elements are of four bytes at most.
    this.budget.take(4 * length);
    const values = this.make(length);
    if (this.missing !== 0) values.fill(this.missing);
    return values;
  }

  private resize(length: number): void {
    const before = this.values;
    const values = this.fresh(length);
    values.set(before.subarray(0, Math.min(length, before.length)));
    this.budget.take(-4 * before.length);
    this.values = values;
  }
}

export const floats = (length: number): Float32Array => new Float32Array(length);
export const integers = (length: number): Int32Array => new Int32Array(length);
export const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** Of one log or table, unpacked. */
export const defaultMaxBytes = 2 ** 33;

/** For messages: short whatever the value. */
export function quote(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  return String(value);
}

/** `3 instances`, `1 instance`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
