// Name of a file in a run's folder → what it says of the file.

/** Which attempt wrote the checkpoint, or began to; undefined where it is none. */
export function attemptOf(name: string): number | undefined {
  const [, attempt] = /checkpoint-attempt-(\d+)-/.exec(name) ?? [];
  return attempt === undefined ? undefined : Number(attempt);
}
