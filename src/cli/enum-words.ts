// Enums of the contract ↔ the words of the command line: REGION_HARD_TO_LEARN is hard-to-learn.

/** Values by their words, without the unspecified one. */
export function words<T extends number>(
  enumeration: Record<string, string | number>,
  prefix: string,
): Record<string, T> {
  const named = Object.entries(enumeration).filter(
    ([name, value]) => typeof value === 'number' && value > 0 && name.startsWith(prefix),
  );
  return Object.fromEntries(
    named.map(([name, value]) => [name.slice(prefix.length).toLowerCase().replaceAll('_', '-'), value as T]),
  );
}

export const oneOf = (choices: Record<string, number>): string => Object.keys(choices).join(', ');
