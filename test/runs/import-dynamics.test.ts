import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {goldProbability} from '../../src/pipeline/logits.js';
import type {DynamicsCreation, DynamicsPart} from '../../src/runs/api.js';
import type {RunsWithLife} from '../../src/runs/create-runs.js';
import {allEvents, creation, digests, importPets, openRuns, waitForEnd} from './support/open-runs.js';

const imported = (rest: Partial<DynamicsCreation> = {}): DynamicsCreation => ({
  id: 'elsewhere',
  model: 'roberta-large',
  format: 'cartography-jsonl',
  classNames: [],
  dropPartialLastEpoch: false,
  labels: {team: 'nlp'},
  validateOnly: false,
  ...rest,
});

const numPets = 60;
/** Reproducible logits that learn, each instance at a pace of its own. */
const logitsOf = (i: number, epoch: number) => {
  const gold = i % 3 === 0 ? 1 : 0;
  const margin = Math.sin(i * 1.7) * 2 + (epoch * (i % 7)) / 3;
  return gold === 1 ? [0.1 * i, 0.1 * i + margin] : [0.1 * i + margin, 0.1 * i];
};
/** Instances of importPets, epoch by epoch, each in an order of its own. */
async function* log(numEpochs: number, change: (line: object, epoch: number, i: number) => unknown = line => line) {
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    const order = Array.from({length: numPets}, (_, k) => (k * 7 + epoch * 11) % numPets);
    for (const i of order) {
      const line = {guid: `i${i}`, [`logits_epoch_${epoch}`]: logitsOf(i, epoch), gold: i % 3 === 0 ? 1 : 0};
      const changed = change(line, epoch, i);
      if (changed !== undefined) yield {epoch, data: Buffer.from(`${JSON.stringify(changed)}\n`)} as DynamicsPart;
    }
  }
}
const pets = {dataset: 'pets', trainSplit: 'train'};

async function rejected(call: Promise<unknown>): Promise<FtftError> {
  const error = await call.then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof FtftError, String(error));
  return error;
}

async function withPets(t: Parameters<typeof openRuns>[0]): Promise<RunsWithLife> {
  const runs = await openRuns(t);
  await importPets(runs, numPets);
  return runs;
}

test('imported dynamics are a run like any other: its log, its map, and a main run on its selection', async t => {
  const runs = await withPets(t);
  const {run, warnings} = await runs.importDynamics(imported(pets), log(3));
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    [run.id, run.kind, run.state, run.spec.model, run.spec.dataset, run.spec.epochs, run.labels],
    ['elsewhere', 'IMPORTED', 'SUCCEEDED', 'roberta-large', 'pets', 3, {team: 'nlp'}],
  );
  assert.deepEqual([run.progress.committedEpochs, run.endTime], [3, run.createTime]);
  assert.deepEqual(await runs.getRun('elsewhere'), run);
  assert.deepEqual(
    (await runs.listRuns({pageSize: 5, pageToken: ''})).runs.map(({id}) => id),
    ['elsewhere'],
  );

  const events = await allEvents(runs, 'elsewhere');
  assert.deepEqual(
    events.map(({event}) => event.kind),
    [...Array(3).fill(['epoch-started', 'chunk', 'epoch-committed']).flat(), 'run-changed'],
  );
  assert.equal(digests(events).length, 3);
  for (const {event} of events) {
    if (event.kind === 'epoch-committed') assert.ok(event.trainLoss > 0 && event.trainLoss < 2);
    if (event.kind !== 'chunk') continue;
    for (let i = 0; i < numPets; i++) {
      const logits: Float32Array = Float32Array.from(logitsOf(i, event.epoch));
      const gold = i % 3 === 0 ? 1 : 0;
      assert.deepEqual([...event.logits.subarray(2 * i, 2 * i + 2)], [...logits]);
      assert.equal(event.pTrue[i], goldProbability(logits, 0, 2, gold));
      const isRight = gold === 1 ? logits[1] > logits[0] : logits[0] >= logits[1];
      assert.equal((event.correctBits[i >> 3] >> (i & 7)) & 1, Number(isRight));
    }
  }

  const map = await runs.buildDataMap({
    run: 'elsewhere',
    id: 'map',
    selection: {fraction: 1 / 3, rule: 'rank'},
    validateOnly: false,
  });
  assert.deepEqual(
    [map.dataset, map.trainSplit, map.instanceCount, map.selectedCount, map.isFinal],
    ['pets', 'train', 60, 20, true],
  );
  assert.deepEqual(
    map.labelBalance.map(({className, instanceCount}) => [className, instanceCount]),
    [
      ['cat', 40],
      ['dog', 20],
    ],
  );
  assert.equal((await runs.readDataMap('map')).instanceIds[59], 'i59');
  runs.start();
  await runs.fineTuneMain({...creation({}, {id: 'main'}), dataMap: 'map'});
  assert.equal((await waitForEnd(runs, 'main')).state, 'SUCCEEDED');
  const uids = async (run: string) => {
    const found: string[] = [];
    for await (const {uid, label, text} of runs.readInstances(run)) {
      assert.deepEqual([label, typeof text], [Number(uid.slice(1)) % 3 === 0 ? 1 : 0, 'string']);
      found.push(uid);
    }
    return found;
  };
  const {isSelected} = await runs.readDataMap('map');
  const all = Array.from({length: numPets}, (_, i) => `i${i}`);
  assert.deepEqual(await uids('elsewhere'), all);
  assert.deepEqual(
    await uids('main'),
    all.filter((_, i) => isSelected[i]),
    'a main run has those that its map selects',
  );
});

test('without a data set the instances are those of the first epoch, and classes are indices', async t => {
  const runs = await openRuns(t);
  const {run} = await runs.importDynamics(imported(), log(2));
  assert.deepEqual([run.spec.dataset, run.spec.trainSplit], ['', '']);
  const map = await runs.buildDataMap({run: 'elsewhere', id: 'map', validateOnly: false});
  assert.deepEqual([map.dataset, map.instanceCount], ['', 60]);
  assert.deepEqual(
    map.labelBalance.map(({className, instanceCount}) => [className, instanceCount]),
    [
      ['0', 40],
      ['1', 20],
    ],
  );
  const {instanceIds, confidence} = await runs.readDataMap('map');
  const instances: object[] = [];
  for await (const instance of runs.readInstances('elsewhere')) instances.push(instance);
  assert.deepEqual(instances.slice(0, 2), [
    {uid: 'i0', label: 1},
    {uid: 'i7', label: 0},
  ]);
  assert.deepEqual(instanceIds.slice(0, 3), ['i0', 'i7', 'i14']);
  const p = [0, 1].map(epoch => goldProbability(Float32Array.from(logitsOf(7, epoch)), 0, 2, 0));
  assert.equal(confidence[1], Math.fround(Math.fround(p[0] + p[1]) / 2));
  const error = await rejected(runs.fineTuneMain({...creation({}, {id: 'main'}), dataMap: 'map'}));
  assert.equal(error.code, 'NOT_FOUND');
  await importPets(runs);
  const other = await rejected(runs.fineTuneMain({...creation({}, {id: 'main'}), dataMap: 'map'}));
  assert.match(other.message, /it is of dynamics imported without a data set$/);
});

test('with a data set and without one the map of an instance is the same', async t => {
  const runs = await withPets(t);
  await runs.importDynamics(imported({...pets, id: 'with'}), log(4));
  await runs.importDynamics(imported({id: 'without'}), log(4));
  const [one, two] = await Promise.all(
    ['with', 'without'].map(async run => {
      const {id} = await runs.buildDataMap({run, selection: {fraction: 0.4}, validateOnly: false});
      const {instanceIds, variability, isSelected, correctness} = await runs.readDataMap(id);
      return new Map(instanceIds.map((uid, i) => [uid, [variability[i], isSelected[i], correctness[i]]]));
    }),
  );
  assert.equal(one.size, 60);
  for (const [uid, values] of one) assert.deepEqual(two.get(uid), values);
});

test('a table of p_true gives a map, with no logits in the log', async t => {
  const runs = await withPets(t);
  async function* table() {
    yield {data: Buffer.from('guid,epoch,p_true\n')};
    for (let i = 0; i < numPets; i++)
      for (const epoch of [1, 0]) yield {data: Buffer.from(`i${i},${epoch},${(i + 1) / (61 + epoch)}\n`)};
  }
  await runs.importDynamics(imported({...pets, format: 'p-true-csv'}), table());
  for (const {event} of await allEvents(runs, 'elsewhere'))
    if (event.kind === 'chunk') {
      assert.deepEqual([event.numClasses, event.logits.length], [0, 0]);
      assert.equal(event.pTrue[4], Math.fround(5 / (61 + event.epoch)));
    } else if (event.kind === 'epoch-committed') assert.ok(event.trainLoss > 0.9 && event.trainLoss < 1.1);
  const map = await runs.buildDataMap({run: 'elsewhere', validateOnly: false});
  const {confidence, correctness} = await runs.readDataMap(map.id);
  assert.ok(Math.abs(confidence[59] - (60 / 61 + 60 / 62) / 2) < 1e-6);
  assert.deepEqual([correctness[0], correctness[59]], [0, 2]);
});

test('what is wrong with the bytes leaves no run, no event and no instance', async t => {
  const runs = await withPets(t);
  const wrong: [string, AsyncIterable<DynamicsPart>, RegExp][] = [
    ['late', log(2, (line, epoch, i) => (epoch === 0 && i === 5 ? undefined : line)), /it lacks 1 instance.*"i5"/],
    ['unknown', log(2, (line, _, i) => (i === 5 ? {...line, guid: 'x'} : line)), /expected the id of an instance/],
    [
      'nan',
      log(2, (line, epoch, i) => (epoch === 1 && i === 5 ? {...line, logits_epoch_1: [null, 0]} : line)),
      /finite/,
    ],
    ['label', log(2, (line, _, i) => (i === 5 ? {...line, gold: 2} : line)), /class index from 0 to 1, found 2/],
  ];
  for (const [id, parts, message] of wrong) {
    const error = await rejected(runs.importDynamics(imported({...pets, id}), parts));
    assert.deepEqual([error.code, error.details.reason], ['INVALID_ARGUMENT', 'ROWS_INVALID']);
    assert.match(error.message, message);
  }
  async function* broken() {
    yield* log(1);
    throw new Error('the connection is gone');
  }
  await assert.rejects(runs.importDynamics(imported(pets), broken()), /connection is gone/);
  const dry = await runs.importDynamics(imported({...pets, validateOnly: true}), log(2));
  assert.deepEqual([dry.run.id, dry.run.state], ['elsewhere', 'SUCCEEDED']);
  assert.deepEqual((await runs.listRuns({pageSize: 5, pageToken: ''})).runs, []);
  await assert.rejects(runs.getRun('elsewhere'), {code: 'NOT_FOUND'});
  const {run} = await runs.importDynamics(imported(), log(2));
  assert.equal(await runs.lastSequence(run.id), 7, 'nothing was left under the name');
});

test('a header that does not fit the data set is refused before a byte is read', async t => {
  const runs = await withPets(t);
  const unread: AsyncIterable<DynamicsPart> = {[Symbol.asyncIterator]: () => assert.fail('bytes were read')};
  const fieldsOf = async (change: Partial<DynamicsCreation>) => {
    const error = await rejected(runs.importDynamics(imported(change), unread));
    return [error.details.reason, ...(error.details.violations ?? []).map(({field}) => field)];
  };
  assert.deepEqual(await fieldsOf({dataset: 'none'}), ['DATASET_NOT_FOUND']);
  assert.deepEqual(await fieldsOf({...pets, trainSplit: 'dev', id: 'A', classNames: ['cat']}), [
    'INVALID_FIELD',
    'run_id',
    'train_split',
    'class_names',
  ]);
  assert.deepEqual(await fieldsOf({...pets, classNames: ['dog', 'dog']}), ['INVALID_FIELD', 'class_names']);
  assert.deepEqual(await fieldsOf({trainSplit: 'train', classNames: ['dog', 'cat']}), [
    'INVALID_FIELD',
    'train_split',
    'class_names',
  ]);
});

test("the log's classes may be in another order, which must be said", async t => {
  const runs = await withPets(t);
  const turned = () =>
    log(2, (line, epoch, i) => ({
      ...line,
      [`logits_epoch_${epoch}`]: logitsOf(i, epoch).reverse(),
      gold: i % 3 === 0 ? 0 : 1,
    }));
  const error = await rejected(runs.importDynamics(imported(pets), turned()));
  assert.match(error.message, /class_names must be dog, cat$/);
  await runs.importDynamics(imported({...pets, id: 'turned', classNames: ['dog', 'cat']}), turned());
  await runs.importDynamics(imported({...pets, id: 'straight'}), log(2));
  assert.deepEqual(
    digests(await allEvents(runs, 'turned')),
    digests(await allEvents(runs, 'straight')),
    'p_true is the same',
  );
});

test('a part of the other kind than the format is refused', async t => {
  const runs = await openRuns(t);
  async function* table() {
    yield {data: Buffer.from('x')};
  }
  const field = async (call: Promise<unknown>) => (await rejected(call)).details.violations?.[0].field;
  assert.equal(await field(runs.importDynamics(imported(), table())), 'table');
  assert.equal(await field(runs.importDynamics(imported({format: 'p-true-csv'}), log(1))), 'log');
});

test('the same request twice makes one run, other bytes under its id are refused, and so is a name that is taken', async t => {
  const runs = await openRuns(t);
  const request = {id: 'request', digest: 'header'};
  const first = await runs.importDynamics(imported({id: undefined, request}), log(2));
  assert.match(first.run.id, /^imported-/);
  assert.deepEqual((await runs.importDynamics(imported({id: undefined, request}), log(2))).run, first.run);
  const reused = (await rejected(runs.importDynamics(imported({request}), log(3)))).details.reason;
  assert.equal(reused, 'REQUEST_ID_REUSED');
  const other = {...request, digest: 'other'};
  assert.equal(
    (await rejected(runs.importDynamics(imported({request: other}), log(2)))).details.reason,
    'REQUEST_ID_REUSED',
  );
  const taken = await rejected(runs.importDynamics(imported({id: first.run.id}), log(2)));
  assert.equal(taken.details.reason, 'RUN_EXISTS');
  assert.equal((await runs.listRuns({pageSize: 5, pageToken: ''})).runs.length, 1);
});
