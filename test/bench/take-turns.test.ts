import assert from 'node:assert/strict';
import {test} from 'node:test';
import {takeTurns} from '../../bench/take-turns.js';

test('sides take turns, each begins in its turn, and warm-up rounds are not kept', async () => {
  const calls: string[] = [];
  const side = (name: string) => async (round: number) => {
    calls.push(`${name}${round}`);
    return [round];
  };
  const seconds = await takeTurns({a: side('a'), b: side('b')}, {rounds: 2, warmUps: 1});
  assert.deepEqual(calls, ['a-1', 'b-1', 'b0', 'a0', 'a1', 'b1']);
  assert.deepEqual(seconds, {a: [0, 1], b: [0, 1]});
});

test('a side may sit a round out, and may give more than one time', async () => {
  const seconds = await takeTurns(
    {quick: async () => [1, 2], slow: async round => (round === 0 ? [9] : [])},
    {rounds: 3, warmUps: 0},
  );
  assert.deepEqual(seconds, {quick: [1, 2, 1, 2, 1, 2], slow: [9]});
});
