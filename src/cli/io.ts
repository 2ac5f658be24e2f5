// What a command may touch of the process: streams, environment, the signal of Ctrl-C. In: a process or a test. Out: text and an exit code.

/** Where text goes; a terminal when isTTY. */
export type Output = NodeJS.WritableStream & {isTTY?: boolean; columns?: number};

export interface Io {
  stdin: NodeJS.ReadableStream;
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  signal: AbortSignal;
  /** What the process exits with; commands set it when they are not content. */
  exitCode: number;
}

export type Paint = Record<'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan', (text: string) => string>;

const codes = {bold: [1, 22], dim: [2, 22], green: [32, 39], red: [31, 39], yellow: [33, 39], cyan: [36, 39]} as const;

/** Colours where the output is a terminal and NO_COLOR is unset; plain text elsewhere. */
export function paintFor(output: Output, env: NodeJS.ProcessEnv): Paint {
  const isColoured = output.isTTY === true && !env.NO_COLOR;
  const painted = (name: keyof Paint) => (text: string) =>
    isColoured ? `\u001b[${codes[name][0]}m${text}\u001b[${codes[name][1]}m` : text;
  return {
    bold: painted('bold'),
    dim: painted('dim'),
    green: painted('green'),
    red: painted('red'),
    yellow: painted('yellow'),
    cyan: painted('cyan'),
  };
}
