// The demo as a user runs it: the real program, real text, the real model, at the least size.
import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {withFolder} from '../support/server-process.js';

const program = fileURLToPath(new URL('../../scripts/ftft.mjs', import.meta.url));

test('the demo trains, maps, fine-tunes and compares, and leaves picture, coordinates and model', () =>
  withFolder(async folder => {
    const demo = start(folder);
    const output = await text(demo.stdout!);
    assert.equal(await ended(demo), 0, output);
    for (const row of ['ERM, all data', 'FTFT', 'random third', 'reference']) assert.match(output, new RegExp(row));
    const svg = readFileSync(join(folder, 'data-map.svg'), 'utf8');
    for (const region of ['ambiguous', 'hard-to-learn', 'easy-to-learn']) assert.match(svg, new RegExp(region));
    const rows = readFileSync(join(folder, 'data-map.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    assert.equal(rows.length, 64);
    const keys = 'guid,index,threshold_closeness,confidence,variability,correctness,forgetfulness';
    assert.equal(Object.keys(rows[0]).join(), keys);
    const files = readdirSync(join(folder, 'model'));
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) assert.ok(files.includes(file), file);
  }));

test('Ctrl-C while the reference trains ends the demo with 130 and leaves no process behind', () =>
  withFolder(async folder => {
    const demo = start(folder);
    let output = '';
    // Read to the end: a demo that nobody reads any more ends as one whose reader has had enough.
    const isTraining = new Promise<void>(resolve => {
      demo.stdout!.on('data', chunk => {
        output += chunk;
        if (/[1-9]\d*\/\d+ steps/.test(output)) resolve();
      });
    });
    await Promise.race([isTraining, once(demo, 'exit')]);
    const descendants = descendantsOf(demo.pid!);
    assert.ok(descendants.length >= 2, 'the demo has started a server, and the server a trainer');
    demo.kill('SIGINT');
    assert.equal(await ended(demo), 130, output);
    for (const pid of descendants) assert.throws(() => process.kill(pid, 0), {code: 'ESRCH'});
  }));

const start = (folder: string): ChildProcess =>
  spawn(process.execPath, [program, 'demo', '--train', '64', '--epochs', '2', '--out', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode === null ? new Promise(resolve => child.once('exit', resolve)) : Promise.resolve(child.exitCode);

function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap(child => [child, ...descendantsOf(child)]);
}
