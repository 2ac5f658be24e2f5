// A parsed config.json → its fields by key, each checked; an error names the file and the key.
import {FtftError} from '../errors.js';
import {brief, invalid, type Json} from './json-fields.js';
import type {Activation} from './types.js';

/** tanh approximations under both of their names are one activation. */
const activations: Record<string, Activation> = {
  gelu: 'gelu',
  relu: 'relu',
  tanh: 'tanh',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
};

/** A key that is missing or null has its fallback; without one it is an error. */
export class ConfigFields {
  constructor(
    readonly file: string,
    readonly raw: Json,
  ) {}

  /** A whole number from `least` to `most`. */
  size(key: string, most: number, fallback?: number, least = 1): number {
    const isRight = (value: number) => Number.isInteger(value) && value >= least && value <= most;
    return this.number(key, fallback, isRight, `a whole number from ${least} to ${most}`);
  }

  /** Of dropout. */
  share(key: string, fallback: number): number {
    return this.number(key, fallback, value => value >= 0 && value < 1, 'a number in [0, 1)');
  }

  positive(key: string, fallback: number): number {
    return this.number(key, fallback, value => value > 0 && value < 1, 'a number in (0, 1)');
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.invalid(`${key} must be true or false, found ${brief(value)}`);
  }

  activation(key: string, fallback: string): Activation {
    const name = this.raw[key] ?? fallback;
    if (typeof name === 'string' && Object.hasOwn(activations, name)) return activations[name];
    throw this.unsupported(key, `${key} ${brief(name)}`, `one of ${Object.keys(activations).join(', ')}`);
  }

  /** UNIMPLEMENTED for any other value than this one, which is also what a missing key means. */
  only(key: string, value: unknown): void {
    const found = this.raw[key] ?? value;
    if (found !== value) throw this.unsupported(key, `${key} ${brief(found)}`, brief(value));
  }

  invalid(expected: string): FtftError {
    return invalid(this.file, expected);
  }

  unsupported(field: string, what: string, expected: string): FtftError {
    const message = `Cannot use ${this.file}: ${what} is not supported yet: expected ${expected}`;
    return new FtftError('UNIMPLEMENTED', message, {reason: 'NOT_SUPPORTED', metadata: {field}});
  }

  private number(
    key: string,
    fallback: number | undefined,
    isRight: (value: number) => boolean,
    expected: string,
  ): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && isRight(value)) return value;
    throw this.invalid(`${key} must be ${expected}, found ${value === undefined ? 'none' : brief(value)}`);
  }
}
