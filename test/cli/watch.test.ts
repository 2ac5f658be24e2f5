// ftft watch against a service that drops its streams: every event once, in order, and words for what a person wants to know.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {afterEach, beforeEach, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {addRun, type FakeService, startFakeService} from './support/fake-service.js';
import {fakeLog} from './support/fake-tale.js';
import {run} from './support/terminal.js';

let fake: FakeService;
beforeEach(async () => {
  fake = await startFakeService();
  addRun(fake, 'r', Run_Kind.KIND_REFERENCE, {});
});
afterEach(() => fake.stop());
const sequences = (out: string) =>
  out
    .trim()
    .split('\n')
    .map(line => Number(JSON.parse(line).sequence ?? 0))
    .filter(n => n > 0);

test('a run reads as its epochs: p_true, share right and loss, what was lost, and the evaluations', async () => {
  const {exitCode, out} = await run(fake.address, ['watch', 'r']);
  assert.equal(exitCode, 0);
  assert.match(out, /^epoch 1 p_true 0\.250 {2}right {3}0\.0 % {3}loss 0\.7000 {2}10 instances, 32 steps/m);
  assert.match(out, /^epoch 2 p_true 0\.500 {2}right 100\.0 %/m);
  assert.match(out, /^lost {4}what came after step 64 is void \(WORKER_LOST\); epoch 3 is trained again$/m);
  assert.match(out, /^epoch 3 p_true 0\.750 {2}right 100\.0 %/m, 'the chunk of the lost attempt does not count');
  assert.match(out, /^eval {4}ID {2}test_movie .*84\.0 %.*calibration error 0\.125 {2}500 instances, step 96$/m);
  assert.match(out, /^watched 0\.8400 {2}best 0\.8600 at step 64, 1 round ago$/m);
  assert.match(out, /^warning The model does not converge$/m);
});

for (const by of ['unavailable', 'silence'] as const)
  test(`a stream that ends by ${by} after any message goes on where it broke: every event once`, async () => {
    const numMessages = fake.logs.get('runs/r')!.length;
    const whole = sequences((await run(fake.address, ['watch', 'r', '--json'])).out);
    assert.equal(whole.length, numMessages - 2);
    await Promise.all(
      Array.from({length: numMessages - 1}, async (_, i) => {
        const own = await startFakeService();
        addRun(own, 'r', Run_Kind.KIND_REFERENCE, {});
        own.cuts.push({after: i + 1, by});
        const {exitCode, out, err} = await run(own.address, ['watch', 'r', '--json']);
        await own.stop();
        assert.equal(exitCode, 0);
        assert.deepEqual(sequences(out), whole);
        assert.match(err, /^connection lost \(.+\); going on from the last event$/m);
      }),
    );
  });

test('a stream that breaks again and again still shows every event once', async () => {
  fake.cuts.push({after: 3, by: 'unavailable'}, {after: 2, by: 'silence'}, {after: 1, by: 'unavailable'});
  const {out, err} = await run(fake.address, ['watch', 'r', '--json']);
  assert.deepEqual(
    sequences(out),
    Array.from({length: 19}, (_, i) => i + 1),
  );
  assert.equal(err.match(/connection lost/g)?.length, 3);
});

test('events that the server sends twice are shown once', async () => {
  const log = fake.logs.get('runs/r')!;
  fake.logs.set('runs/r', [...log.slice(0, 5), ...log.slice(2, 5), ...log.slice(5)]);
  assert.deepEqual(
    sequences((await run(fake.address, ['watch', 'r', '--json'])).out),
    Array.from({length: 19}, (_, i) => i + 1),
  );
});

test('watch lives through a restart of the server at the same address', async () => {
  const log = fakeLog(fake.runs.get('runs/r')!);
  fake.isEndless = true;
  fake.logs.set('runs/r', log.slice(0, 7));
  const watching = run(fake.address, ['watch', 'r', '--json']);
  await new Promise(resolve => setTimeout(resolve, 300));
  const port = Number(fake.address.split(':')[1]);
  await fake.stop();
  await new Promise(resolve => setTimeout(resolve, 500));
  fake = await startFakeService(port);
  addRun(fake, 'r', Run_Kind.KIND_REFERENCE, {});
  const {exitCode, out} = await watching;
  assert.equal(exitCode, 0);
  assert.deepEqual(
    sequences(out),
    Array.from({length: 19}, (_, i) => i + 1),
  );
});

test('a run that failed exits 1, an unknown run 3', async () => {
  const failed = addRun(
    fake,
    'bad',
    Run_Kind.KIND_REFERENCE,
    {},
    {state: Run_State.STATE_FAILED, error: {message: 'No memory left'}},
  );
  const log = fake.logs.get('runs/bad')!;
  log.at(-1)!.event = {$case: 'completed', value: {run: failed}};
  const {exitCode, err} = await run(fake.address, ['watch', 'bad']);
  assert.equal(exitCode, 1);
  assert.match(err, /runs\/bad failed: No memory left/);
  assert.equal((await run(fake.address, ['watch', 'nope'])).exitCode, 3);
});

test('Ctrl-C ends the command with 130', async () => {
  fake.isEndless = true;
  fake.logs.set('runs/r', fake.logs.get('runs/r')!.slice(0, 5));
  const script = fileURLToPath(new URL('../../scripts/ftft.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, 'watch', 'r', '--address', fake.address], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 130);
});
