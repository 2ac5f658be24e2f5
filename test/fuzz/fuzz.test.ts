// A short run of what `npm run fuzz` does at length.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fuzz} from './fuzz.js';
import {rpcs} from './seeds.js';
import {startWorld} from './world.js';

const numCalls = 40;

test('no request, however wrong, makes the server crash, hang, fail or tell what it must not', async t => {
  const world = await startWorld();
  t.after(() => world.stop());
  const {rows, faults} = await fuzz(world, {calls: numCalls, seed: 7});
  assert.deepEqual(faults, []);
  for (const rpc of rpcs) {
    const {tally} = rows.find(({name}) => name === rpc)!;
    assert.equal(
      Object.values(tally.codes).reduce((a, b) => a + b, 0),
      numCalls,
      rpc,
    );
  }
  // What is met is more than the first check of a request.
  const met = new Set(rows.flatMap(({tally}) => Object.keys(tally.codes)));
  for (const code of ['OK', 'INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNAUTHENTICATED'])
    assert.ok(met.has(code), `${code} was never the answer`);
});
