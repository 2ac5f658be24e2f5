import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {DynamicsView, type StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {encodeResumeToken} from '../../src/server/resume-token.js';
import {runRecord, trainingEvents} from './records.js';
import {collect, detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const name = 'runs/ref';
const succeeded = {kind: 'run-changed', run: runRecord('ref', {state: 'SUCCEEDED'})} as const;

/** Reads one message, drops the connection, goes on with its token, until the stream is completed. */
async function readReconnecting(client: FtftServiceClient, choice: object): Promise<StreamDynamicsResponse[]> {
  const messages: StreamDynamicsResponse[] = [];
  while (messages.at(-1)?.event?.$case !== 'completed') {
    assert.ok(messages.length < 1000, 'the stream does not get on');
    const value = messages.at(-1)?.resumeToken ?? '';
    for await (const message of client.streamDynamics({name, ...choice, start: {$case: 'resumeToken', value}})) {
      // A stream that goes on at the end of the log says again that it is caught up.
      if (message.event?.$case === 'caughtUp') continue;
      messages.push(message);
      break;
    }
  }
  return messages;
}

const choices = {
  'with parts of chunks': {maxChunkInstances: 5},
  'with instances chosen': {maxChunkInstances: 2, instances: [0, 3, 15, 16, 17, 18, 39]},
  'without chunks': {view: DynamicsView.DYNAMICS_VIEW_SUMMARY},
  'with logits': {view: DynamicsView.DYNAMICS_VIEW_FULL},
};
for (const [what, choice] of Object.entries(choices))
  test(`reconnecting at every message gives the uninterrupted stream, ${what}`, async t => {
    const {client, runs} = await startTestServer(t);
    runs.appendAll('ref', [...trainingEvents('ref', 40, 16), succeeded]);
    const whole = (await collect(client.streamDynamics({name, ...choice}))).filter(
      ({event}) => event?.$case !== 'caughtUp',
    );
    const pieces = await readReconnecting(client, choice);
    const withoutTime = (messages: StreamDynamicsResponse[]) =>
      messages.map(message => ({...message, eventTime: message.sequence === 0 ? undefined : message.eventTime}));
    assert.deepEqual(withoutTime(pieces), withoutTime(whole));
    assert.ok(whole.length >= 8);
  });

test('a token of another run, and a forged one, are refused for different reasons', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [...trainingEvents('ref', 8, 8), succeeded]);
  const resume = (value: string) =>
    errorOf(collect(client.streamDynamics({name, start: {$case: 'resumeToken', value}})));
  const other = encodeResumeToken(runs.tokenKey(), '00000000-0000-4000-8000-000000000000', {sequence: 1, numSent: 0});
  assert.equal(reasonOf(await resume(other)), 'RESUME_TOKEN_OF_OTHER_RUN');
  const forged = encodeResumeToken(Buffer.alloc(32, 1), (await runs.getRun('ref')).uid, {sequence: 1, numSent: 0});
  assert.equal(reasonOf(await resume(forged)), 'RESUME_TOKEN_INVALID');
  assert.equal(reasonOf(await resume('not a token')), 'RESUME_TOKEN_INVALID');
});

test('a token of what is no longer kept is refused for a reason of its own, with a token to go on from', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [...trainingEvents('ref', 8, 8), succeeded]);
  const {events} = runs;
  t.mock.method(runs, 'events', async function* (this: typeof runs, id: string, range: Parameters<typeof events>[1]) {
    if ('sequence' in range.start && range.start.sequence < 4)
      throw new FtftError('OUT_OF_RANGE', 'gone', {
        reason: 'RESUME_TOKEN_EXPIRED',
        metadata: {earliest_sequence: '4', earliest_epoch: '0'},
      });
    yield* events.call(this, id, range);
  });
  const at = (value: string) => client.streamDynamics({name, start: {$case: 'resumeToken', value}});
  const old = encodeResumeToken(runs.tokenKey(), (await runs.getRun('ref')).uid, {sequence: 1, numSent: 0});
  const error = await errorOf(collect(at(old)));
  assert.equal(error.code, 11);
  const info = detail(error, 'google.rpc.ErrorInfo')!;
  assert.equal(info.reason, 'RESUME_TOKEN_EXPIRED');
  assert.deepEqual(Object.keys(info.metadata).sort(), ['earliest_epoch', 'earliest_token']);
  assert.equal((await collect(at(info.metadata.earliest_token)))[0].sequence, 4);
});
