import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {test} from 'node:test';
import {allTicks, othersShare, ownTicks, processorTimes} from '../../bench/others-share.js';

test('time in use is user, nice, system, interrupts and stolen, not idle and waiting', () =>
  assert.equal(
    allTicks('cpu  1 20 300 4000 50000 600 7000 80000 9 9\ncpu0 1 1 1 1\n'),
    1 + 20 + 300 + 600 + 7000 + 80000,
  ));

test("own time is the process's and its ended children's, whatever its name is", () =>
  assert.equal(ownTicks('42 (a b) c) S 1 1 1 0 -1 4 1 2 3 4 10 200 3000 40000 20 0 1'), 10 + 200 + 3000 + 40000));

test('the share of others is what was in use and not ours, of all processors', () => {
  const before = {wall: 10, all: 100, own: 50};
  assert.equal(othersShare(before, {wall: 20, all: 118, own: 64}, 2), 0.2);
  assert.equal(othersShare(before, {wall: 20, all: 110, own: 61}, 2), 0);
});

test('a child that ended counts as ours', () => {
  const before = processorTimes();
  spawnSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 3e5);']);
  assert.ok(processorTimes().own - before.own >= 0.25);
});
