// A map's diagnostics as sentences.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {describeDataMap, describeDiagnostics, selectionWords} from '../../src/cli/data-map-words.js';
import {Run} from '../../src/server/gen/ftft/v1/run.js';
import {fakeMap} from './support/fake-tale.js';

const map = () => fakeMap('dataMaps/m', Run.fromPartial({}), undefined);

test('long sentences break below 100 columns, and no word is lost', () => {
  const long = map();
  long.diagnostics!.referenceVerdictReason = `${'numbers behind the verdict '.repeat(9)}end`;
  const lines = describeDiagnostics(long);
  for (const line of lines) assert.ok(line.length <= 92, line);
  assert.equal(lines.join(' ').match(/numbers\s+behind\s+the\s+verdict/g)?.length, 9);
  assert.ok(lines.slice(-2).every(line => line.startsWith(' '.repeat(10))));
});

test('a selection made smaller by ties says so', () => {
  const tied = map();
  tied.selectedCount = 1;
  assert.match(describeDataMap(tied), /ties {6}1 selected where 3 were asked for; 1 lie exactly at the edge/);
});

test('selections are named as on the command line', () => {
  assert.equal(selectionWords(undefined), 'ambiguous');
  assert.equal(
    selectionWords({criterion: {$case: 'region', value: 2}, fraction: 0.1, rule: 0, seed: 0}),
    'hard-to-learn',
  );
  const metric = {$case: 'metric', value: {metric: 4, order: 2}} as const;
  assert.equal(selectionWords({criterion: metric, fraction: 0.1, rule: 0, seed: 0}), 'lowest threshold closeness');
});
