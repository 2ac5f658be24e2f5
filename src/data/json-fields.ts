// Parsed JSON of a model folder → fields of the expected kind; whatever else stands there is one error that names the file.
import {FtftError} from '../errors.js';

export type Json = Record<string, unknown>;

/** Ids at or above it are mistakes: the largest vocabularies have a few hundred thousand. */
export const maxVocabulary = 1 << 24;

export function parseJson(file: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(file, `it must be JSON: ${error instanceof Error ? error.message : error}`);
  }
  return object(file, value, 'it');
}

export function object(file: string, value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(file, `${what} must be a JSON object, found ${brief(value)}`);
}

export function list(file: string, value: unknown, what: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(file, `${what} must be a list, found ${brief(value)}`);
}

export function text(file: string, value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw invalid(file, `${what} must be text, found ${brief(value)}`);
}

export function flag(file: string, value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(file, `${what} must be true or false, found ${brief(value)}`);
}

export function tokenId(file: string, value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < maxVocabulary) return value;
  throw invalid(file, `${what} must be a whole number below ${maxVocabulary}, found ${brief(value)}`);
}

/** For messages: short whatever the value, which may be a whole file. */
export function brief(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}

export function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}

export function unsupported(file: string, what: string, expected: string): FtftError {
  return new FtftError('UNIMPLEMENTED', `Cannot use ${file}: ${what} is not supported yet: expected ${expected}`, {
    reason: 'NOT_SUPPORTED',
  });
}
