import assert from 'node:assert/strict';
import {test} from 'node:test';
import {benchLargeMap} from '../../bench/large-map.js';

test('the map of a made-up log is built in processes of its own, which tell their seconds and memory', async () => {
  const {rows, versions} = await benchLargeMap({instances: 40_000, epochs: 3, rounds: 2});
  assert.deepEqual(
    rows.map(({ours, figure}) => [ours.count, ours.unit, figure.unit]),
    [
      [2, 's', 's'],
      [2, 's', 's'],
      [2, 'bytes', 'bytes'],
    ],
  );
  for (const {figure} of rows) assert.ok(figure.value > 0);
  assert.ok(rows[2].figure.value < 1e9);
  assert.deepEqual(versions, {});
});
