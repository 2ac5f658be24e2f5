import assert from 'node:assert/strict';
import {test} from 'node:test';
import {kindsOf, planRound} from './schedule.js';

const plan = (round: number, seed = 7) => planRound('postgres', {seed, round, numVariants: 3});

test('a seed and a round give the same plan each time, others another', () => {
  assert.deepEqual(plan(3), plan(3));
  assert.notDeepEqual(plan(3), plan(4));
  assert.notDeepEqual(plan(3), plan(3, 8));
});

test('every kind of fault leads once in as many rounds as there are kinds, and none comes twice in a round', () => {
  for (const engine of ['sqlite', 'postgres'] as const) {
    const kinds = kindsOf[engine];
    const rounds = kinds.map((_, round) => planRound(engine, {seed: 1, round, numVariants: 3}));
    for (const [i, kind] of kinds.entries()) assert.ok(rounds[i].faults.some(fault => fault.kind === kind));
    for (const {faults} of rounds) assert.equal(new Set(faults.map(({kind}) => kind)).size, faults.length);
  }
});

test('a quarter of the runs each is to be cancelled, and to be suspended', () => {
  const all = Array.from({length: 200}, (_, round) => plan(round).submissions).flat();
  for (const what of ['cancel', 'suspend']) {
    const share = all.filter(({wish}) => wish?.what === what).length / all.length;
    assert.ok(share > 0.18 && share < 0.32, `${what} ${share}`);
  }
});

test('no request_id comes twice, and each is a UUID of version 4', () => {
  const ids = Array.from({length: 200}, (_, round) => plan(round).submissions.map(({requestId}) => requestId)).flat();
  assert.equal(new Set(ids).size, 400);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
