import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {ReadInstancesRequest} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {runRecord} from './records.js';
import {collect, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const text = 'é'.repeat(1000);
const instances = Array.from({length: 1000}, (_, i) => ({
  uid: `u${i}`,
  label: i % 3,
  text: `${i} ${text}`,
  textPair: `pair ${i}`,
}));

async function start(t: Parameters<typeof startTestServer>[0]) {
  const server = await startTestServer(t);
  server.runs.records.set('ref', runRecord('ref'));
  server.runs.instances.set('ref', instances);
  const read = async (request: Partial<ReadInstancesRequest> = {}) =>
    (await collect(server.client.readInstances({name: 'runs/ref', ...request}))).map(({block}) => block!);
  return {...server, read};
}

test('instances come in blocks under 256 KiB, in order, with texts only when they are asked for', async t => {
  const {read} = await start(t);
  const [block, ...others] = await read();
  assert.deepEqual([others.length, block.firstInstance, block.instanceCount], [0, 0, 1000]);
  assert.deepEqual([block.instanceIds[999], block.labels[998], block.texts, block.textPairs], ['u999', 2, [], []]);
  const blocks = await read({includeTexts: true});
  assert.ok(blocks.length > 7 && blocks.length < 12, `${blocks.length} blocks`);
  for (const {texts} of blocks) assert.ok(Buffer.byteLength(texts.join('')) < 256 * 1024);
  assert.deepEqual(
    blocks.flatMap(({texts}) => texts),
    instances.map(instance => instance.text),
  );
  assert.deepEqual(
    blocks.flatMap(({textPairs}) => textPairs),
    instances.map(instance => instance.textPair),
  );
  let next = 0;
  for (const {firstInstance, instanceCount} of blocks) {
    assert.equal(firstInstance, next);
    next += instanceCount;
  }
  assert.equal(next, 1000);
});

test('offset and limit take a part; past the end is OUT_OF_RANGE', async t => {
  const {client, read} = await start(t);
  const [block] = await read({offset: 990, limit: 5});
  assert.deepEqual([block.firstInstance, block.instanceIds], [990, ['u990', 'u991', 'u992', 'u993', 'u994']]);
  assert.equal((await read({offset: 998}))[0].instanceCount, 2);
  assert.deepEqual(await read({offset: 1000}), []);
  const error = await errorOf(collect(client.readInstances({name: 'runs/ref', offset: 1001})));
  assert.equal(reasonOf(error), 'OFFSET_PAST_END');
  assert.match(error.details, /offset must be at most 1000/);
});

test('an instance that is larger than a block is one by itself', async t => {
  const {runs, read} = await start(t);
  runs.instances.set('ref', [
    {uid: 'a', label: 0, text: 'x'},
    {uid: 'b', label: 0, text: 'y'.repeat(500_000)},
    {uid: 'c', label: 0, text: 'z'},
  ]);
  const blocks = await read({includeTexts: true});
  assert.deepEqual(
    blocks.map(({instanceIds, textPairs}) => [instanceIds, textPairs]),
    [
      [['a'], []],
      [['b'], []],
      [['c'], []],
    ],
  );
});

test('a run that is not there, one without texts and a wrong request are refused', async t => {
  const {client, runs} = await start(t);
  const reason = async (request: Partial<ReadInstancesRequest>) =>
    reasonOf(await errorOf(collect(client.readInstances(request))));
  assert.equal(await reason({name: 'runs/none'}), 'RUN_NOT_FOUND');
  assert.equal(await reason({name: 'ref', offset: -1, limit: -1}), 'INVALID_FIELD');
  const {spec, ...rest} = runRecord('imported', {kind: 'IMPORTED'});
  runs.records.set('imported', {...rest, spec: {...spec, dataset: '', trainSplit: ''}});
  runs.instances.set('imported', [{uid: 'a', label: -1}]);
  assert.equal(await reason({name: 'runs/imported', includeTexts: true}), 'TEXTS_NOT_KNOWN');
  const [{block}] = await collect(client.readInstances({name: 'runs/imported'}));
  assert.deepEqual(block?.labels, [-1]);
});
