import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createChannel, createClient, Metadata, Status} from 'nice-grpc';
import {HealthDefinition} from 'nice-grpc-server-health';
import {type Role, roleOfRpc, roles} from '../../../src/server/access/roles.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../../../src/server/gen/ftft/v1/ftft_service.js';
import {dataMapRecord, datasetRecord, runRecord} from '../records.js';
import {collect, errorOf, reasonOf, startTestServer} from '../start-test-server.js';
import {roleTokens, secureClient} from './secure-client.js';

type Rpc = keyof typeof roleOfRpc;

/** The table of section 7 of the service's decisions, once more in other words. */
const everyone: Rpc[] = [
  'getDataset',
  'listDatasets',
  'getRun',
  'listRuns',
  'waitRun',
  'streamDynamics',
  'readInstances',
];
const maps: Rpc[] = ['getDataMap', 'listDataMaps', 'readDataMap', 'compareDataMaps'];
const trainers: Rpc[] = [
  'importDataset',
  'importDynamics',
  'trainReference',
  'buildDataMap',
  'fineTuneMain',
  'cancelRun',
  'suspendRun',
  'resumeRun',
];

test('viewers read, trainers make things too, and the rest takes an admin', () => {
  for (const [rpc, role] of Object.entries(roleOfRpc) as [Rpc, Role][])
    assert.equal(
      role,
      [...everyone, ...maps].includes(rpc) ? 'viewer' : trainers.includes(rpc) ? 'trainer' : 'admin',
      rpc,
    );
  assert.deepEqual(Object.keys(roleOfRpc).sort(), Object.keys(FtftServiceDefinition.methods).sort());
});

/** Any call of the RPC about a thing of this id. */
function call(client: FtftServiceClient, rpc: Rpc, id: string): Promise<unknown> {
  const collection = /Dataset/.test(rpc) ? 'datasets' : /DataMap/.test(rpc) ? 'dataMaps' : 'runs';
  const request = {name: `${collection}/${id}`, dataMap: `dataMaps/${id}`, run: `runs/${id}`} as never;
  const {requestStream, responseStream} = FtftServiceDefinition.methods[rpc];
  const method = client[rpc].bind(client) as (request: unknown) => unknown;
  if (requestStream) return method((async function* () {})()) as Promise<unknown>;
  return responseStream ? collect(method(request) as AsyncIterable<unknown>) : (method(request) as Promise<unknown>);
}

for (const [rpc, needed] of Object.entries(roleOfRpc) as [Rpc, Role][])
  test(`${rpc} takes the role ${needed}, and its refusal does not tell what exists`, async t => {
    const {tokens, file} = roleTokens();
    const {runs, address} = await startTestServer(t, {authFile: file});
    runs.append('there', {kind: 'run-changed', run: runRecord('there', {state: 'SUCCEEDED'})});
    runs.datasets.set('there', datasetRecord('there'));
    runs.maps.set('there', dataMapRecord('there'));
    for (const role of roles) {
      const client = secureClient(t, address, {token: tokens[role]});
      const answers = await Promise.all(['there', 'not-there'].map(id => answerOf(call(client, rpc, id))));
      const isAllowed = roles.indexOf(role) >= roles.indexOf(needed);
      if (isAllowed) for (const answer of answers) assert.doesNotMatch(answer, /ROLE_MISSING.*takes the role/, role);
      else {
        assert.match(answers[0], /^PERMISSION_DENIED\/ROLE_MISSING/, role);
        assert.equal(answers[1], answers[0]);
      }
    }
    const unknown = secureClient(t, address, {});
    const answers = await Promise.all(['there', 'not-there'].map(id => answerOf(call(unknown, rpc, id))));
    assert.match(answers[0], /^UNAUTHENTICATED\/TOKEN_MISSING/);
    assert.equal(answers[1], answers[0]);
  });

async function answerOf(answer: Promise<unknown>): Promise<string> {
  const isOk = await answer.then(
    () => true,
    () => false,
  );
  if (isOk) return 'OK';
  const error = await errorOf(answer);
  return `${Status[error.code]}/${reasonOf(error)} ${error.details}`;
}

test('a trainer cancels its own runs alone, an admin all of them, and those that nobody is known to have started', async t => {
  const {tokens, file} = roleTokens();
  const {runs, address} = await startTestServer(t, {authFile: file});
  const [trainer, admin] = [tokens.trainer, tokens.admin].map(token => secureClient(t, address, {token}));
  const {run} = await trainer.trainReference({runId: 'mine', spec: {dataset: 'datasets/movies', model: 'minilm-l6'}});
  assert.equal((runs.calls.at(-1) as {caller?: string}).caller, 'token:the-trainer');
  runs.records.set('mine', runRecord('mine', {caller: 'token:the-trainer'}));
  runs.records.set('other', runRecord('other', {caller: 'jwt:the-trainer'}));
  runs.records.set('nobodys', runRecord('nobodys'));
  assert.equal((await trainer.cancelRun({name: run!.name})).name, 'runs/mine');
  for (const name of ['runs/other', 'runs/nobodys']) {
    const error = await errorOf(trainer.cancelRun({name}));
    assert.equal(`${Status[error.code]}/${reasonOf(error)}`, 'PERMISSION_DENIED/ROLE_MISSING');
    assert.equal((await admin.cancelRun({name})).name, name);
    for (const rpc of ['suspendRun', 'resumeRun'] as const) {
      assert.equal(reasonOf(await errorOf(trainer[rpc]({name}))), 'ROLE_MISSING');
      assert.equal((await trainer[rpc]({name: 'runs/mine'})).name, 'runs/mine');
    }
  }
  assert.equal(reasonOf(await errorOf(trainer.cancelRun({name: 'runs/none'}))), 'RUN_NOT_FOUND');
});

test('health answers everybody', async t => {
  const {file} = roleTokens();
  const {servers} = await startTestServer(t, {authFile: file});
  for (const port of [servers.ports.grpc, servers.ports.health]) {
    const channel = createChannel(`127.0.0.1:${port}`);
    t.after(() => channel.close());
    assert.equal((await createClient(HealthDefinition, channel).check({service: ''})).status, 1);
  }
});

test('a caller cannot make itself another by headers of its own', async t => {
  const {tokens, file} = roleTokens();
  const {runs, address} = await startTestServer(t, {authFile: file});
  const seen: string[] = [];
  t.mock.method(runs, 'getRun', function (this: unknown, id: string) {
    seen.push(id);
    return runRecord(id);
  });
  const client = secureClient(t, address, {token: tokens.trainer});
  const forged = Metadata();
  for (const key of ['ftft-caller-bin', 'ftft-caller-0000000000000000-bin'])
    forged.set(key, new Uint8Array(Buffer.from('{"name":"token:the-admin","role":"admin"}')));
  const error = await errorOf(client.deleteRun({name: 'runs/x'}, {metadata: forged}));
  assert.equal(reasonOf(error), 'ROLE_MISSING');
  const cancel = await errorOf(client.cancelRun({name: 'runs/x'}, {metadata: forged}));
  assert.equal(reasonOf(cancel), 'ROLE_MISSING');
  assert.deepEqual(seen, ['x']);
});
