// The load generator against a real server: it makes the calls and reads the bytes that it says, and fails where calls fail.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {type Cluster, startCluster} from '../../bench/service/cluster.js';
import {ask} from '../../bench/service/jobs.js';
import {importLog, importTexts, startTinyRun} from '../../bench/service/runs.js';

let cluster: Cluster;
let run: string;
before(async () => {
  cluster = await startCluster('sqlite', {workers: 0});
  run = await importLog(cluster.client, {instances: 1000, logEpochs: 2});
});
after(() => cluster.end());

test('calls are begun when they are due, and each counts from then', async () => {
  const answer = await ask({do: 'calls', address: cluster.api.address, run, rate: 30, seconds: 1, connections: 2});
  assert.equal(answer.count, 30);
  assert.ok(answer.least > 0 && answer.least <= answer.median && answer.median <= answer.p99);
});

test('a log is read whole by every reader, its columns and a little more', async () => {
  const answer = await ask({do: 'replay', address: cluster.api.address, run, readers: 2, seconds: 1});
  assert.ok(answer.replays >= 2);
  const columns = 2 * 1000 * (4 + 16 * 4);
  const perReplay = answer.bytes / answer.replays;
  assert.ok(perReplay > columns && perReplay < 1.1 * columns, `${perReplay} bytes`);
});

test('every reader sees as many epochs of a run that trains as it waits for, and how old they are', async () => {
  await importTexts(cluster.client, 64);
  const name = await startTinyRun(cluster.client);
  const {seconds} = await ask({do: 'follow', address: cluster.api.address, run: name, readers: 2, epochs: 3});
  await cluster.client.cancelRun({name});
  assert.equal(seconds.length, 6);
  assert.ok(Math.min(...seconds) >= 0);
});

test('a job that fails is an error', async () => {
  const nobody = {do: 'replay', address: cluster.api.address, run: 'runs/nobody', readers: 1, seconds: 1} as const;
  await assert.rejects(ask(nobody), /ended with 1/);
});
