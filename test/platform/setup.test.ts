import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {programs, runNode, setupScript, startNode, temporaryFolder, until, withModule} from './setup-process.js';

test('each missing prerequisite gets one line with the command that installs it', async t => {
  const folder = temporaryFolder(t);
  const cache = join(folder, 'cache');
  const {code, stderr} = await runNode([setupScript], {PATH: programs(join(folder, 'bin'), {}), FTFT_CACHE_DIR: cache});
  assert.equal(code, 1);
  assert.deepEqual(stderr.trim().split('\n'), [
    'ftft set-up: Python >= 3.9 with pip is missing; install with: sudo apt-get install -y python3 python3-pip',
    'ftft set-up: A C++ compiler (g++) is missing; install with: sudo apt-get install -y g++',
    'ftft set-up: make is missing; install with: sudo apt-get install -y make',
    'ftft set-up: flock is missing; install with: sudo apt-get install -y util-linux',
  ]);
  assert.ok(!existsSync(cache), 'nothing was begun');
});

test('a Python without pip, and one that is too old, are told apart', async t => {
  const folder = temporaryFolder(t);
  const pythonThatPrints = (version: string) => `case "$*" in *pip*) exit 1;; *) echo ${version};; esac`;
  const stderrWith = async (version: string) => {
    const bin = programs(join(folder, version), {
      python3: pythonThatPrints(version),
      'g++': 'echo 12',
      make: 'echo 4',
      flock: 'echo 2',
    });
    return (await runNode([setupScript], {PATH: bin, FTFT_CACHE_DIR: join(folder, 'cache')})).stderr.trim();
  };
  assert.equal(
    await stderrWith('3.11'),
    'ftft set-up: pip for Python 3.11 is missing; install with: sudo apt-get install -y python3-pip',
  );
  assert.match(await stderrWith('3.8'), /^ftft set-up: Python >= 3.9 is needed, python3 is 3.8; install with: [^\n]+$/);
});

test('a set-up that is done does nothing, prints nothing and needs no program', async t => {
  const empty = programs(join(temporaryFolder(t), 'bin'), {});
  const {code, stdout, stderr} = await runNode([setupScript], {PATH: empty, FTFT_OFFLINE: '1'});
  assert.deepEqual({code, stdout, stderr}, {code: 0, stdout: '', stderr: ''});
});

test('an offline set-up with an empty cache says in one line what is missing, and fetches nothing', async t => {
  const cache = join(temporaryFolder(t), 'cache');
  const {code, stderr} = await runNode([setupScript], {FTFT_CACHE_DIR: cache, FTFT_OFFLINE: '1', FTFT_DEVICE: 'cpu'});
  assert.equal(code, 1);
  assert.match(stderr, /^ftft set-up: Cannot fetch tensorflow(-cpu)? 2\.21\.0: FTFT_OFFLINE is set [^\n]+\n$/);
  assert.deepEqual(readdirSync(cache), []);
});

test('an unknown device is refused by name', async () => {
  const {code, stderr} = await runNode([setupScript], {FTFT_DEVICE: 'tpu'});
  assert.deepEqual(
    {code, stderr},
    {code: 1, stderr: 'ftft set-up: Cannot set up for FTFT_DEVICE=tpu: it must be cpu or gpu\n'},
  );
});

test('a second set-up waits for the first, and goes on when the first is killed', async t => {
  const folder = temporaryFolder(t);
  const hold = withModule(
    'command.mjs',
    `await setup.lock([${JSON.stringify(folder)}]); console.log('held'); setInterval(() => {}, 1000);`,
  );
  const first = startNode(hold);
  t.after(() => first.child.kill('SIGKILL'));
  await until('the first holds the lock', () => first.printed.stdout !== '');
  const second = startNode(hold);
  t.after(() => second.child.kill('SIGKILL'));
  await sleep(400);
  assert.equal(second.printed.stdout, '', 'the second waits');
  first.child.kill('SIGKILL');
  await until('the second holds the lock', () => second.printed.stdout !== '');
  assert.equal(second.printed.stdout, 'held\n');
});
