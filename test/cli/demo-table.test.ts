// The demo's table: what counts as cost, and what is said of a difference.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {type Arm, comparisonTable, differenceLines} from '../../src/cli/demo-table.js';
import {Run} from '../../src/server/gen/ftft/v1/run.js';

function arm(name: string, seconds: number[], accuracy: number, instanceCount: number, mapSeconds?: number): Arm {
  const evaluations = [{split: 'test_movie', accuracy, instanceCount}];
  const runs = seconds.map(s =>
    Run.fromPartial({cost: {acceleratorTime: {seconds: s}}, progress: {steps: 1234}, evaluations}),
  );
  return {name, runs, mapSeconds};
}

test('reference, map and main all count as cost', () => {
  const table = comparisonTable([arm('ERM', [100], 0.8, 500), arm('FTFT', [40, 30], 0.8, 500, 5)]);
  assert.match(table, /ERM +│ +1,234 │ +100\.0 │ 100 % │/);
  assert.match(table, /FTFT +│ +1,234 │ +75\.0 │ +75 % │/);
});

test('a difference is told apart from none only outside its interval', () => {
  const lines = (a: number) => differenceLines(arm('FTFT, x', [1], a, 2000), arm('ERM, y', [1], 0.8, 2000));
  assert.match(lines(0.81)[1], /movie +ID +\+1\.0 points, 95 % interval −1\.5 to \+3\.5: zero lies inside it/);
  assert.match(lines(0.85)[1], /\+5\.0 points, .*: zero lies outside it/);
  assert.equal(lines(0.8)[0], 'FTFT against ERM');
  assert.match(lines(0.8)[2], /Amazon +OOD +was not evaluated/);
});
