// Words of the command line → the values of options; what cannot be one is refused in a sentence.
import {InvalidArgumentError} from 'commander';

export function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

/** Whole numbers, apart by commas. */
export const wholes = (text: string): number[] => text.split(',').map(whole);

/** Some of the names, apart by commas. */
export function choices<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return text =>
    text.split(',').map(word => {
      const found = names.find(name => name === word);
      if (found) return found;
      throw new InvalidArgumentError(`It must be some of ${names.join(', ')}.`);
    });
}

/** One of the names. */
export function choice<Name extends string>(names: readonly Name[]): (text: string) => Name {
  return text => {
    const found = names.find(name => name === text);
    if (found) return found;
    throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  };
}
