// Streams that remember → an Io, and the command line run in this process.
import assert from 'node:assert/strict';
import {Readable, Writable} from 'node:stream';
import type {Io, Output} from '../../../src/cli/io.js';
import {ftft} from '../../../src/cli/program.js';

export interface Terminal {
  io: Io;
  out(): string;
  err(): string;
}

export function createTerminal(
  options: {signal?: AbortSignal; stdin?: Uint8Array; env?: NodeJS.ProcessEnv; isTTY?: boolean} = {},
): Terminal {
  const texts = {out: '', err: ''};
  const sink = (key: 'out' | 'err') => {
    const stream = new Writable({
      write(piece, _encoding, done) {
        texts[key] += piece;
        done();
      },
    });
    return Object.assign(stream, {isTTY: options.isTTY === true, columns: 100}) as Output;
  };
  const signal = options.signal ?? new AbortController().signal;
  const stdin = Readable.from(options.stdin ? [options.stdin] : []);
  const io = {stdin, stdout: sink('out'), stderr: sink('err'), env: options.env ?? {}, signal, exitCode: 0};
  return {io, out: () => texts.out, err: () => texts.err};
}

/** Runs one command line against the address. */
export async function run(address: string, args: string[], options: Parameters<typeof createTerminal>[0] = {}) {
  const terminal = createTerminal(options);
  const exitCode = await ftft([...args, '--address', address], terminal.io);
  return {exitCode, out: terminal.out(), err: terminal.err()};
}

/** What a command line that must succeed prints with --json. */
export async function runJson(address: string, args: string[]) {
  const {exitCode, out, err} = await run(address, [...args, '--json']);
  assert.equal(exitCode, 0, err);
  return JSON.parse(out);
}
