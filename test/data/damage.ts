// What the fuzz tests of files share: random damage to bytes and to JSON values, and a folder that is quick to write to.
import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import type {TestContext} from 'node:test';
import {opcodes} from '../../src/data/pickle-opcodes.js';
import {temporaryFolder} from './model-folder.js';

/** A whole number from 0 up to n. */
export type Below = (n: number) => number;

/** Bytes that mean something where they land. */
const telling = [...Object.values(opcodes), ...Buffer.from('{}[]",:0123456789'), 0x00, 0x7f, 0xff];

export function damage(whole: Uint8Array, below: Below): Buffer {
  let bytes = Buffer.from(whole);
  for (let change = below(4); change >= 0; change--) {
    const at = below(bytes.length);
    const kind = below(12);
    if (kind < 4) bytes[at] = below(256);
    else if (kind < 8) bytes[at] = telling[below(telling.length)];
    else if (kind === 8) bytes.subarray(at, at + (below(2) ? 4 : 8)).fill(0xff);
    else if (kind === 9) bytes.copy(bytes, at, below(bytes.length), below(bytes.length));
    else if (kind === 10) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(below(bytes.length))]);
    else bytes = bytes.subarray(0, at);
    if (bytes.length === 0) break;
  }
  return bytes;
}

/** Values that few readers expect. */
const strange = [
  null,
  true,
  -1,
  0,
  3,
  0.5,
  1e308,
  2 ** 31,
  2 ** 53,
  '',
  'a',
  '\ud800',
  [],
  {},
  [[]],
  [null],
  {type: 'None'},
];

/** A copy of a JSON value in which one value, anywhere, is another or is gone. */
export function damageJson(whole: unknown, below: Below): unknown {
  const copy = structuredClone(whole);
  const places: [container: Record<string, unknown>, key: string][] = [];
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      places.push([value as Record<string, unknown>, key]);
      walk(part);
    }
  };
  walk(copy);
  const [container, key] = places[below(places.length)];
  if (below(4) === 0) delete container[key];
  else container[key] = strange[below(strange.length)];
  return copy;
}

/** In memory where the system has such a place: disks take long to shorten a file. */
export async function quickFolder(t: TestContext): Promise<string> {
  if (!existsSync('/dev/shm')) return temporaryFolder(t);
  const folder = await mkdtemp('/dev/shm/ftft-data-');
  t.after(() => rm(folder, {recursive: true, force: true}));
  return folder;
}
