// Filters of runs: which runs they take, what they refuse and how that is said, and pages of what they take.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {randomStream} from '../../src/random.js';
import {readMatchingPage} from '../../src/runs/pages.js';
import type {RunRecord} from '../../src/runs/types.js';
import {parseRunFilter} from '../../src/server/run-filter.js';
import {pendingRun} from '../runs/support/store-values.js';

const run = (id: string, changes: Partial<RunRecord>): RunRecord => ({...pendingRun(id).run, ...changes});
const runs = [
  run('a', {state: 'SUCCEEDED', kind: 'REFERENCE', labels: {team: 'nlp', 'cost-centre': '7'}, createTime: day(1)}),
  run('b', {state: 'FAILED', kind: 'MAIN', labels: {team: 'vision'}, createTime: day(2)}),
  run('c', {state: 'FAILED', kind: 'REFERENCE', labels: {}, createTime: day(3)}),
  run('d', {state: 'RUNNING', kind: 'MAIN', labels: {team: 'nlp-eu', constructor: 'x'}, createTime: day(4)}),
];

function day(n: number): number {
  return Date.UTC(2026, 10, n);
}

for (const [filter, expected] of [
  ['', 'abcd'],
  ['  ', 'abcd'],
  ['state = FAILED', 'bc'],
  ['state=STATE_FAILED', 'bc'],
  ['state = "failed"', 'bc'],
  ['state != FAILED', 'ad'],
  ['kind = KIND_MAIN', 'bd'],
  ['kind = MAIN AND state = RUNNING', 'd'],
  ['kind = MAIN state = RUNNING', 'd'],
  // OR binds tighter than AND, as AIP-160 says.
  ['state = FAILED AND kind = MAIN OR kind = REFERENCE', 'bc'],
  ['(state = FAILED AND kind = MAIN) OR kind = REFERENCE', 'abc'],
  ['NOT state = FAILED', 'ad'],
  ['-state = FAILED', 'ad'],
  ['NOT (state = FAILED OR kind = MAIN)', 'a'],
  ['create_time > 2026-11-02', 'cd'],
  ['create_time >= "2026-11-02T00:00:00Z"', 'bcd'],
  ['create_time < "2026-11-02T01:00:00+01:00"', 'a'],
  ['create_time = 2026-11-03', 'c'],
  ['create_time <= 2026-11-03 create_time != 2026-11-01', 'bc'],
  ['labels.team = nlp', 'a'],
  ["labels.team = 'nlp'", 'a'],
  ['labels.team = "nlp*"', 'ad'],
  ['labels.team = *eu', 'd'],
  ['labels.team = "*l*"', 'ad'],
  ['labels.team != nlp', 'bcd'],
  ['labels:team', 'abd'],
  ['labels.team:*', 'abd'],
  ['labels.cost-centre = 7', 'a'],
  ['labels."cost-centre" = "7"', 'a'],
  // Nothing of Object's.
  ['labels:constructor', 'd'],
  ['labels:toString', ''],
] as const)
  test(`filter ${filter || 'none'}`, () => {
    assert.equal(
      runs
        .filter(parseRunFilter(filter))
        .map(({id}) => id)
        .join(''),
      expected,
    );
  });

for (const [filter, message] of [
  ['state', 'must have = or !=, found its end'],
  ['state = DONE', /^has state "DONE", which must be one of PENDING, RUNNING, /],
  ['state < FAILED', 'must have = or !=, found "<" at character 7'],
  ['model = bert', 'must have state, kind, create_time or labels, found "model" at character 1'],
  ['(state = FAILED', 'must have AND, OR or ), found its end'],
  ['state = FAILED)', 'must have AND, OR or the end, found ")" at character 15'],
  ['state = FAILED AND', 'must have state, kind, create_time or labels, found its end'],
  ['labels = x', 'must have labels.NAME = VALUE or labels:NAME, found "=" at character 8'],
  ['create_time > yesterday', /^has create_time "yesterday", which must be a time as /],
  ['create_time > 2026-13-01', /^has create_time /],
  ['state = "FAILED', /^has something unknown at character 9/],
  ['state = FAILED; drop table runs', /^has something unknown at character 15/],
  [`${'('.repeat(51)}state = FAILED${')'.repeat(51)}`, 'must have at most 50 brackets within each other'],
  ['x'.repeat(2001), 'must be at most 2000 characters, current length is 2001'],
] as const)
  test(`filter ${filter.slice(0, 40)} is refused`, () => {
    assert.throws(() => parseRunFilter(filter), {message});
  });

test('pages of what a filter takes hold each run once, and a call looks at a bounded number of runs', async () => {
  const random = randomStream(1, 'data');
  const all = Array.from({length: 23_000}, (_, i) => ({createTime: 23_000 - i, isWanted: random() < 0.001}));
  let numLookedAt = 0;
  const list = async (limit: number, before = Number.MAX_SAFE_INTEGER) => {
    const begin = all.findIndex(({createTime}) => createTime < before);
    const found = begin < 0 ? [] : all.slice(begin, begin + limit);
    numLookedAt += found.length;
    return found;
  };
  const seen: number[] = [];
  let [pageToken, numPages] = ['', 0];
  do {
    numLookedAt = 0;
    const page = await readMatchingPage('Cannot list', {pageSize: 4, pageToken}, list, ({isWanted}) => isWanted);
    assert.ok(numLookedAt <= 10_000 && page.records.length <= 4);
    seen.push(...page.records.map(({createTime}) => createTime));
    pageToken = page.nextPageToken;
    numPages++;
  } while (pageToken);
  assert.deepEqual(
    seen,
    all.filter(({isWanted}) => isWanted).map(({createTime}) => createTime),
  );
  assert.ok(seen.length > 10 && numPages >= seen.length / 4);
  const none = await readMatchingPage('Cannot list', {pageSize: 4, pageToken: ''}, list, () => false);
  assert.deepEqual([none.records.length, none.nextPageToken !== ''], [0, true]);
});
