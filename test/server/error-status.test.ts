import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createChannel, createClient, Status} from 'nice-grpc';
import {type ErrorCode, type ErrorDetails, FtftError, invalidFields} from '../../src/errors.js';
import {toStatus} from '../../src/server/error-status.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Status as RpcStatus} from '../../src/server/gen/google/rpc/status.js';
import {runRecord} from './records.js';
import {detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const resource = {type: 'Run', name: 'runs/ref'} as const;
const cases: [ErrorCode, ErrorDetails, string[]][] = [
  ['INVALID_ARGUMENT', {reason: 'INVALID_FIELD', violations: [{field: 'a', description: 'b'}]}, ['BadRequest']],
  ['INVALID_ARGUMENT', {reason: 'REQUEST_ID_REUSED'}, []],
  ['OUT_OF_RANGE', {reason: 'RESUME_TOKEN_EXPIRED', metadata: {earliest_epoch: '2'}}, []],
  ['NOT_FOUND', {reason: 'RUN_NOT_FOUND', resource}, ['ResourceInfo']],
  ['ALREADY_EXISTS', {reason: 'RUN_EXISTS', resource}, ['ResourceInfo']],
  ['FAILED_PRECONDITION', {reason: 'SELECTION_EMPTY'}, ['PreconditionFailure']],
  ['ABORTED', {reason: 'ETAG_MISMATCH'}, []],
  ['RESOURCE_EXHAUSTED', {reason: 'QUEUE_FULL', retryAfterMs: 1500}, ['QuotaFailure', 'RetryInfo']],
  ['RESOURCE_EXHAUSTED', {reason: 'DISK_FULL'}, ['QuotaFailure']],
  ['UNAVAILABLE', {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000}, ['RetryInfo']],
  ['UNIMPLEMENTED', {reason: 'NOT_SUPPORTED', metadata: {field: 'filter'}}, []],
];

test('every error carries its code, message, ErrorInfo and the details of its kind', async t => {
  const {client, runs} = await startTestServer(t);
  for (const [code, details, extra] of cases) {
    runs.faults.set('getRun', new FtftError(code, `Cannot do it: ${code}`, details));
    const error = await errorOf(client.getRun({name: 'runs/ref'}));
    assert.equal(error.code, Status[code]);
    assert.equal(error.details, `Cannot do it: ${code}`);
    const info = detail(error, 'google.rpc.ErrorInfo');
    assert.deepEqual(
      [info?.reason, info?.domain, info?.metadata],
      [details.reason, 'ftft.dev', details.metadata ?? {}],
    );
    assert.deepEqual(
      error.extra.map(({$type}) => $type.replace('google.rpc.', '')),
      ['ErrorInfo', ...extra],
    );
  }
});

test('details hold what the error said', async t => {
  const {client, runs} = await startTestServer(t);
  const fail = (code: ErrorCode, details: ErrorDetails) => {
    runs.faults.set('getRun', new FtftError(code, 'why', details));
    return errorOf(client.getRun({name: 'runs/ref'}));
  };
  const violations = [{field: 'a', description: 'b'}];
  const [violation] =
    detail(await fail('INVALID_ARGUMENT', {reason: 'X', violations}), 'google.rpc.BadRequest')?.fieldViolations ?? [];
  assert.deepEqual([violation.field, violation.description], ['a', 'b']);
  const info = detail(await fail('NOT_FOUND', {reason: 'X', resource}), 'google.rpc.ResourceInfo');
  assert.deepEqual([info?.resourceType, info?.resourceName], ['ftft.dev/Run', 'runs/ref']);
  const retry = detail(await fail('UNAVAILABLE', {reason: 'X', retryAfterMs: 1500}), 'google.rpc.RetryInfo');
  assert.deepEqual([retry?.retryDelay?.seconds, retry?.retryDelay?.nanos], [1, 500_000_000]);
});

test('an error of a thousand violations reaches the caller with the first of them', async t => {
  const {client, runs} = await startTestServer(t);
  const description = `must be 1 to 63 characters, current value is ${'x'.repeat(100)}`;
  const violations = Array.from({length: 1000}, (_, i) => ({field: `spec.evaluation_splits[${i}]`, description}));
  runs.faults.set('getRun', invalidFields('Cannot train', violations));
  const error = await errorOf(client.getRun({name: 'runs/ref'}, {signal: AbortSignal.timeout(5000)}));
  assert.equal(error.code, Status.INVALID_ARGUMENT);
  const found = detail(error, 'google.rpc.BadRequest')?.fieldViolations ?? [];
  assert.deepEqual({field: found[0].field, description: found[0].description}, violations[0]);
  assert.ok(found.length >= 20, `${found.length}`);
  assert.equal(detail(error, 'google.rpc.ErrorInfo')?.metadata.violations_left_out, String(1000 - found.length));
});

test('a name of any length leaves room for the error in its trailer', () => {
  const name = `local:${'a'.repeat(50_000)}`;
  for (const code of ['NOT_FOUND', 'FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED'] as const) {
    const status = toStatus({code, message: `Cannot find ${name}`, reason: 'X', resource: {type: 'Model', name}});
    assert.ok(RpcStatus.encode(status).finish().length < 6000);
  }
});

test('where the server keeps its files is told to nobody', () => {
  const message =
    'Cannot read /var/lib/my-ftft/runs/a b/model.bin: expected "/srv/x.json", see https://a.example/b/c, local:/etc/x';
  const status = toStatus({
    code: 'INVALID_ARGUMENT',
    message,
    reason: 'X',
    violations: [{field: 'a', description: message}],
  });
  const told = 'Cannot read a b/model.bin: expected "x.json", see https://a.example/b/c, local:/etc/x';
  assert.equal(status.message, told);
  const everything = Buffer.from(RpcStatus.encode(status).finish()).toString('latin1');
  assert.equal(everything.split(told).length - 1, 2);
  assert.doesNotMatch(everything, /my-ftft|srv/);
});

test('a bug is INTERNAL/UNEXPECTED to the caller, with neither its message nor its stack', async t => {
  const {client, runs, telemetry} = await startTestServer(t);
  const logged = t.mock.method(telemetry.log, 'error', () => {});
  runs.faults.set('getRun', new TypeError('secret of /home/me'));
  const error = await errorOf(client.getRun({name: 'runs/ref'}));
  assert.equal(error.code, Status.INTERNAL);
  assert.equal(reasonOf(error), 'UNEXPECTED');
  assert.doesNotMatch(JSON.stringify([error.details, error.extra]), /secret|\.ts/);
  const [fields] = logged.mock.calls[0].arguments as unknown as [{err: Error}];
  assert.match(fields.err.stack ?? '', /secret of \/home\/me\n {4}at /);
});

test('a request above 4 MiB is refused with its reason', async t => {
  const {client} = await startTestServer(t);
  const error = await errorOf(client.getRun({name: 'x'.repeat(5 * 1024 * 1024)}));
  assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
  assert.equal(reasonOf(error), 'MESSAGE_TOO_LARGE');
  assert.ok(detail(error, 'google.rpc.QuotaFailure'));
});

test('bytes that are no protobuf message are the caller’s fault', async t => {
  const {client, address, connect} = await startTestServer(t);
  assert.ok(client && connect);
  const channel = createChannel(address);
  t.after(() => channel.close());
  const raw = {
    ...FtftServiceDefinition.methods.getRun,
    path: '/ftft.v1.FtftService/GetRun',
    requestSerialize: () => Buffer.from([0x0a, 0xff]),
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
    requestStream: false,
    responseStream: false,
    options: {},
  } as const;
  const error = await createClient({getRun: raw}, channel)
    .getRun(Buffer.alloc(0))
    .catch((error: unknown) => error as {code: number});
  assert.equal((error as {code: number}).code, Status.INVALID_ARGUMENT);
});

test('names of other shapes are refused before anything is looked up', async t => {
  const {client, runs} = await startTestServer(t);
  runs.records.set('ref', runRecord('ref'));
  for (const name of ['', 'ref', 'runs/', 'runs/Ref', 'runs/a/b', 'datasets/ref', `runs/${'a'.repeat(64)}`, 'runs/a-'])
    assert.equal(reasonOf(await errorOf(client.getRun({name}))), 'INVALID_FIELD', name);
  assert.equal((await client.getRun({name: 'runs/ref'})).name, 'runs/ref');
});
