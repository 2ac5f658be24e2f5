// Files that other programs wrote, as bytes; chunks of any size; damage that repeats.
import {readFileSync} from 'node:fs';
import {randomStream} from '../../src/random.js';

interface Golden {
  rows: {uid: string; text: string; label: number; score: number; flag: boolean; maybe: string | null}[];
  parquet: Record<string, string>;
  lz4_parquet: string;
  lines: string;
  zstd_lines: Record<string, string>;
}

export const golden: Golden = JSON.parse(
  readFileSync(new URL('../golden/packed_files.json', import.meta.url), 'utf8'),
) as Golden;

export const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');

export async function* chunks(content: string | Uint8Array, size = 1 << 16): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

export async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

/** A copy with a few bytes changed, cut off or put in; the same for the same seed. */
export function damaged(content: Uint8Array, seed: number): Buffer {
  const random = randomStream(seed, 'data');
  const below = (n: number) => Math.floor(random() * n);
  let bytes = Buffer.from(content);
  for (let times = below(4); times >= 0; times--) {
    const at = below(bytes.length);
    const kind = below(10);
    if (kind === 0) bytes = bytes.subarray(0, at + 1);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(below(256)), bytes.subarray(at)]);
    else if (kind < 5) bytes[at] ^= 1 << below(8);
    else bytes[at] = below(256);
  }
  return bytes;
}
