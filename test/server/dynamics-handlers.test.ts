import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {DynamicsFormat} from '../../src/server/gen/ftft/v1/dynamics.js';
import {Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

type Part = {header: object} | {epoch: number; text: string} | {table: string};
async function* importOf(...parts: Part[]) {
  for (const part of parts)
    if ('header' in part) yield {part: {$case: 'header' as const, value: part.header}};
    else if ('table' in part) yield {part: {$case: 'table' as const, value: Buffer.from(part.table)}};
    else yield {part: {$case: 'log' as const, value: {epoch: part.epoch, data: Buffer.from(part.text)}}};
}
const logs = [
  {epoch: 0, text: 'a'},
  {epoch: 1, text: 'b'},
];

test('an import of dynamics hands header and logs on, and answers with the run and warnings', async t => {
  const {client, runs} = await startTestServer(t);
  const header = {
    runId: 'elsewhere',
    dataset: 'datasets/movies',
    trainSplit: 'train',
    model: 'roberta-large',
    dropPartialLastEpoch: true,
    labels: {team: 'nlp'},
    classNames: ['positive', 'negative'],
  };
  const {run, warnings} = await client.importDynamics(importOf({header}, ...logs));
  const [{creation, read}] = runs.calls as [{creation: {request?: {digest: string}}; read: string[]}];
  const {request, ...rest} = creation;
  assert.match(request!.digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(rest, {
    id: 'elsewhere',
    dataset: 'movies',
    trainSplit: 'train',
    model: 'roberta-large',
    format: 'cartography-jsonl',
    classNames: ['positive', 'negative'],
    dropPartialLastEpoch: true,
    labels: {team: 'nlp'},
    validateOnly: false,
    traceParent: undefined,
    caller: undefined,
  });
  assert.deepEqual(read, ['0: a', '1: b']);
  assert.deepEqual(
    [run!.name, run!.kind, run!.state],
    ['runs/elsewhere', Run_Kind.KIND_IMPORTED, Run_State.STATE_SUCCEEDED],
  );
  assert.deepEqual(warnings, ['epoch 1 was dropped']);
});

test('a table has no epochs, and without a header field nothing is assumed of the data set', async t => {
  const {client, runs} = await startTestServer(t);
  const header = {format: DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_CSV, validateOnly: true};
  await client.importDynamics(importOf({header}, {table: 'guid,'}));
  const [{creation, read}] = runs.calls as {creation: Record<string, unknown>; read: string[]}[];
  assert.deepEqual(read, ['undefined: guid,']);
  const {format, dataset, trainSplit, id, request, validateOnly} = creation;
  assert.deepEqual(
    [format, dataset, trainSplit, id, request, validateOnly],
    ['p-true-csv', undefined, undefined, undefined, undefined, true],
  );
});

test('a header with broken rules, a missing or second header and a large part stop the import', async t => {
  const {client, runs} = await startTestServer(t);
  const header = {runId: 'A', dataset: 'movies', trainSplit: 'Train', requestId: '1', format: 9, labels: {'': 'x'}};
  const error = await errorOf(client.importDynamics(importOf({header})));
  assert.deepEqual(
    detail(error, 'google.rpc.BadRequest')
      ?.fieldViolations.map(({field}) => field)
      .sort(),
    ['header.dataset', 'header.format', 'header.run_id', 'header.train_split', 'labels[""]', 'request_id'],
  );
  for (const parts of [[], logs, [{header: {}}, {header: {}}]])
    assert.equal(reasonOf(await errorOf(client.importDynamics(importOf(...parts)))), 'INVALID_FIELD');
  const large = [{header: {}}, {epoch: 0, text: 'x'.repeat(2 ** 20 + 1)}];
  assert.equal(reasonOf(await errorOf(client.importDynamics(importOf(...large)))), 'MESSAGE_TOO_LARGE');
  assert.deepEqual(runs.calls, []);
});

test('lines that runs/ refuses reach the caller, and a name that is taken is RUN_EXISTS', async t => {
  const {client, runs} = await startTestServer(t);
  const violations = [{field: 'log[epoch 1, line 17].gold', description: 'expected 0 or 1'}];
  runs.faults.set('importDynamics', new FtftError('INVALID_ARGUMENT', 'bad', {reason: 'ROWS_INVALID', violations}));
  const error = await errorOf(client.importDynamics(importOf({header: {}}, ...logs)));
  assert.equal(reasonOf(error), 'ROWS_INVALID');
  assert.deepEqual(detail(error, 'google.rpc.BadRequest')?.fieldViolations[0].field, violations[0].field);
  runs.faults.set('importDynamics', new FtftError('INVALID_ARGUMENT', 'other', {reason: 'REQUEST_ID_REUSED'}));
  const taken = await errorOf(client.importDynamics(importOf({header: {runId: 'elsewhere'}}, ...logs)));
  assert.equal(reasonOf(taken), 'RUN_EXISTS');
});
