// Many who wait for one run: each is woken by every change, and what they all read then is read once.
import assert from 'node:assert/strict';
import {setMaxListeners} from 'node:events';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {readEvents} from '../../src/runs/event-reader.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import type {StoredEvent} from '../../src/runs/types.js';
import {Wakeups} from '../../src/runs/wakeups.js';
import {pendingRun} from './support/store-values.js';

const numReaders = 50;
const numEpochs = 20;

test('readers at the end of a log see every event, and the database is asked once for all of them', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const store = createSqlStore(sql);
  await store.runs.insert(pendingRun('a'));
  const {run} = (await store.leases.claim('worker', 60_000))!;
  let numReads = 0;
  const log = new Proxy(store.log, {
    get: (target, name: keyof typeof store.log) => {
      if (name === 'read') numReads++;
      return typeof target[name] === 'function' ? target[name].bind(target) : target[name];
    },
  });
  const wakeups = new Wakeups();
  const stop = new AbortController();
  setMaxListeners(numReaders, stop.signal);
  const seen = Array.from({length: numReaders}, () => [] as number[]);
  let numCaughtUp = 0;
  const readers = seen.map(async (sequences, i) => {
    const range = {start: {position: 'earliest'} as const, signal: stop.signal};
    for await (const event of readEvents({log, runs: store.runs}, wakeups, 'a', range)) {
      if (event === 'caught-up') numCaughtUp++;
      else sequences.push((event as StoredEvent).sequence);
      // Some take their time, and are somewhere else than the others.
      if (i % 5 === 0) await sleep(i % 3);
    }
  });
  const ends = Promise.allSettled(readers);
  while (numCaughtUp < numReaders) await sleep(1);
  numReads = 0;
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    await store.log.append({runId: 'a', attempt: run.attempt}, stored => ({
      stored,
      events: [{kind: 'epoch-started', epoch}],
    }));
    // As for a change in another process, the word of it comes later.
    await sleep(epoch % 4);
    wakeups.wake('a', true);
    await sleep(5);
  }
  const whole = Array.from({length: numEpochs}, (_, i) => i + 1);
  while (seen.some(({length}) => length < numEpochs)) await sleep(1);
  assert.deepEqual(
    seen.map(sequences => sequences.slice(-numEpochs)),
    seen.map(() => whole),
  );
  assert.ok(numReads < numReaders * 4, `${numReads} reads for ${numEpochs} events and ${numReaders} readers`);
  stop.abort();
  await ends;
});
