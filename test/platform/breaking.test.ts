// The contract may grow; it may not break who was made from an earlier state of it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {cpSync, existsSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {root, temporaryFolder} from './setup-process.js';

interface Image {
  name: string;
  bytes: Uint8Array;
}
const {breakingChanges, committedImages} = (await import(
  String(new URL('../../scripts/check-breaking.mjs', import.meta.url))
)) as {breakingChanges(folder: string, images: Image[]): string[]; committedImages(): Image[]};

const images = committedImages();
const skip = images.length === 0 ? 'there is no history here to compare with' : false;

test('the contract breaks none of its committed states', {skip}, () => {
  assert.deepEqual(breakingChanges(root, images), []);
});

test('the contract breaks nothing of the one in ../shared', {
  skip: existsSync(join(root, '../shared/proto')) ? false : 'needs ../shared',
}, t => {
  const folder = copy(t, 'shared');
  const before = join(folder, 'before.binpb');
  build(folder, before);
  assert.deepEqual(breakingChanges(root, [{name: '../shared', bytes: readFileSync(before)}]), []);
});

const changes: [string, string, RegExp, string][] = [
  ['a field that is gone', 'run.proto', /\n {2}string model_uri = 21 \[[^\]]*\];/, ''],
  ['a field of another number', 'run.proto', /string model_uri = 21/, 'string model_uri = 91'],
  ['a field of another type', 'dynamics.proto', /bytes p_true = 5/, 'string p_true = 5'],
  ['an RPC that is gone', 'ftft_service.proto', /\n {2}rpc CompareDataMaps\([\s\S]*?\n {2}\}/, ''],
  ['an enum value of another name', 'run.proto', /STATE_SUSPENDED/, 'STATE_PAUSED'],
];
for (const [what, file, pattern, by] of changes)
  test(`${what} is refused`, {skip}, t => {
    const folder = copy(t, 'ours');
    const path = join(folder, 'proto', 'ftft', 'v1', file);
    const text = readFileSync(path, 'utf8');
    assert.match(text, pattern);
    writeFileSync(path, text.replace(pattern, by));
    const [found] = breakingChanges(folder, images.slice(0, 1));
    assert.match(found ?? '', new RegExp(file));
  });

/** A folder with a contract and all that buf needs beside it. */
function copy(t: Parameters<typeof temporaryFolder>[0], which: 'ours' | 'shared'): string {
  const folder = temporaryFolder(t);
  const contract = join(root, which === 'ours' ? 'proto' : '../shared/proto', 'ftft');
  cpSync(contract, join(folder, 'proto', 'ftft'), {recursive: true});
  cpSync(join(root, 'buf.yaml'), join(folder, 'buf.yaml'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function build(folder: string, image: string): void {
  execFileSync(join(root, 'node_modules', '.bin', 'buf'), ['build', 'proto', '-o', image], {cwd: folder});
}
