import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ClientError, Status} from 'nice-grpc';
import {ErrorInfo, RetryInfo, RichClientError} from 'nice-grpc-error-details';
import {Backoff, isTransient} from '../../src/cli/retry.js';

const path = '/ftft.v1.FtftService/GetRun';
const waiting = (code: Status, milliseconds: number) =>
  new RichClientError(path, code, 'wait', [
    ErrorInfo.fromPartial({reason: 'RATE_LIMITED'}),
    RetryInfo.fromPartial({retryDelay: {seconds: 0, nanos: milliseconds * 1e6}}),
  ]);

test('what carries RetryInfo is tried again, and so is what a broken network or a drain looks like; nothing else', () => {
  assert.ok(isTransient(waiting(Status.RESOURCE_EXHAUSTED, 10)));
  for (const code of [Status.UNAVAILABLE, Status.ABORTED, Status.CANCELLED])
    assert.ok(isTransient(new ClientError(path, code, '')));
  for (const code of [
    Status.RESOURCE_EXHAUSTED,
    Status.UNAUTHENTICATED,
    Status.PERMISSION_DENIED,
    Status.INVALID_ARGUMENT,
  ])
    assert.ok(!isTransient(new ClientError(path, code, '')), Status[code]);
});

test('a wait is as long as the server says, at least', async () => {
  const {signal} = new AbortController();
  const started = performance.now();
  await new Backoff().wait(waiting(Status.RESOURCE_EXHAUSTED, 600), signal);
  assert.ok(performance.now() - started >= 590);
});
