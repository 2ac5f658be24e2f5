import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';

const reporter = fileURLToPath(new URL('../../scripts/test-outcomes.mjs', import.meta.url));

test('every test is told once with its outcome, and a skipped suite too, whose tests nobody sees', t => {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-outcomes-'));
  t.after(() => rmSync(folder, {recursive: true}));
  const file = join(folder, 'some.test.mjs');
  writeFileSync(
    file,
    `import {describe, test} from 'node:test';
    describe('a suite', {skip: 'needs ../shared'}, () => test('inside', () => {}));
    describe('another suite', () => test('passes', () => {}));
    test('alone', {skip: 'needs ../shared too'}, () => {});
    test('fails', () => { throw new Error(); });`,
  );
  // Node's runner marks its children by this variable, and they would report to it instead.
  const {NODE_TEST_CONTEXT: _, ...env} = process.env;
  const {stdout} = spawnSync(
    process.execPath,
    ['--test', `--test-reporter=${reporter}`, '--test-reporter-destination=stdout', file],
    {encoding: 'utf8', env},
  );
  const told = stdout
    .trim()
    .split('\n')
    .map(line => Object.values(JSON.parse(line)).join(' | '));
  assert.deepEqual(told.sort(), [
    'failed | fails | ',
    'passed | passes | ',
    'skipped | a suite | needs ../shared',
    'skipped | alone | needs ../shared too',
  ]);
});
