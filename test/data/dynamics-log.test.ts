import assert from 'node:assert/strict';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import type {DynamicsOptions, ImportedDynamics, KnownInstances} from '../../src/data/dynamics-import.js';
import {type LogPart, readDynamicsLog} from '../../src/data/dynamics-log.js';
import {FtftError} from '../../src/errors.js';
import {randomStream} from '../../src/random.js';

type Line = {guid: unknown; gold?: unknown; [key: string]: unknown};

/** Logits that say who and when they are of: [guid, epoch]. */
const line = (guid: number | string, epoch: number, more: object = {}): Line => ({
  guid,
  [`logits_epoch_${epoch}`]: [Number(guid), epoch],
  gold: Number(guid) % 2,
  ...more,
});
const epochOf = (epoch: number, guids: (number | string)[]) => guids.map(guid => line(guid, epoch));
const text = (lines: (Line | string)[]) =>
  lines.map(item => `${typeof item === 'string' ? item : JSON.stringify(item)}\n`).join('');

/** The epochs' files in pieces of so many bytes. */
async function* parts(epochs: (string | [number, string])[], size = 7): AsyncGenerator<LogPart> {
  for (const [i, entry] of epochs.entries()) {
    const [epoch, content] = typeof entry === 'string' ? [i, entry] : entry;
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length || at === 0; at += size) yield {epoch, data: bytes.subarray(at, at + size)};
  }
}

const read = (
  epochs: (string | [number, string])[],
  options: Partial<DynamicsOptions> = {},
  size?: number,
): Promise<ImportedDynamics> => readDynamicsLog(parts(epochs, size), {dropPartialLastEpoch: false, ...options});

async function faults(
  epochs: (string | [number, string])[],
  options: Partial<DynamicsOptions> = {},
): Promise<string[]> {
  const error = await read(epochs, options, 1000).then(
    () => assert.fail('nothing was wrong'),
    error => error,
  );
  assert.ok(error instanceof FtftError && error.details.reason === 'ROWS_INVALID', String(error));
  return error.details.violations!.map(({field, description}) => `${field}: ${description}`);
}

const known = (uids: string[], labels: number[], more: Partial<KnownInstances> = {}): KnownInstances => ({
  name: 'datasets/pets, split train',
  indexOf: new Map(uids.map((uid, i) => [uid, i])),
  labels: Int32Array.from(labels),
  classNames: ['cat', 'dog'],
  ...more,
});
const logitsOf = ({epochs}: ImportedDynamics) =>
  epochs.map(epoch => ('logits' in epoch ? [...epoch.logits] : assert.fail('no logits')));

test('every epoch has the logits of each instance in the order of the first, however lines and pieces fall', async () => {
  const epochs = [text(epochOf(0, [5, 2, 9])), text(epochOf(1, [9, 5, 2])), text(epochOf(2, [2, 9, 5]))];
  for (let size = 1; size < 60; size++) {
    const dynamics = await read(epochs, {}, size);
    assert.deepEqual(dynamics.guids, ['5', '2', '9']);
    assert.deepEqual([...dynamics.golds], [1, 0, 1]);
    assert.equal(dynamics.numClasses, 2);
    assert.deepEqual(logitsOf(dynamics), [
      [5, 0, 2, 0, 9, 0],
      [5, 1, 2, 1, 9, 1],
      [5, 2, 2, 2, 9, 2],
    ]);
    assert.deepEqual(dynamics.warnings, []);
  }
});

test('long whole numbers and texts are guids, each by its own spelling', async () => {
  const guids = ['12345678901234567890', '12345678901234567891', '"4705552913.jpg#2r1n"', '-3'];
  const lines = (epoch: number) => guids.map(guid => `{"guid":${guid},"logits_epoch_${epoch}":[1,2],"gold":0}`);
  const dynamics = await read([text(lines(0)), text(lines(1).reverse())]);
  assert.deepEqual(dynamics.guids, ['12345678901234567890', '12345678901234567891', '4705552913.jpg#2r1n', '-3']);
});

test("with a data set the columns are in its order, and the classes too where the log's are in another", async () => {
  const options = {known: known(['9', '2', '5'], [1, 0, 1])};
  const epochs = [text(epochOf(0, [5, 2, 9])), text(epochOf(1, [2, 9, 5]))];
  const dynamics = await read(epochs, options);
  assert.equal(dynamics.guids, undefined);
  assert.deepEqual([...dynamics.golds], [1, 0, 1]);
  assert.deepEqual(logitsOf(dynamics)[1], [9, 1, 2, 1, 5, 1]);
  const turned = {known: known(['9', '2', '5'], [0, 1, 0], {classOrder: [1, 0]})};
  const other = await read(epochs, turned);
  assert.deepEqual([...other.golds], [0, 1, 0]);
  assert.deepEqual(logitsOf(other)[1], [1, 9, 1, 2, 1, 5]);
});

test('classes in another order than those of the data set are named', async () => {
  const epochs = [text(epochOf(0, [5, 2, 9]))];
  assert.deepEqual(await faults(epochs, {known: known(['9', '2', '5'], [0, 1, 0])}), [
    'log[epoch 0]: its classes are in another order than those of datasets/pets, split train: class_names must be dog, cat',
  ]);
  assert.deepEqual(await faults(epochs, {known: known(['9', '2', '5'], [0, 0, 1])}), [
    'log[epoch 0]: expected the labels of datasets/pets, split train, gold is another class for 1 instance of 3',
  ]);
  const wrongOrder = known(['9', '2', '5'], [1, 0, 1], {classOrder: [1, 0]});
  assert.match((await faults(epochs, {known: wrongOrder}))[0], /class_names must be cat, dog$/);
});

test('missing epochs, and epochs that come late or again, are one error', async () => {
  const [first, second] = [text(epochOf(0, [1, 2])), text(epochOf(1, [1, 2]))];
  const third = text(epochOf(2, [1, 2]));
  assert.deepEqual(await faults([[1, second]]), [
    'log[epoch 1]: epoch 0 is missing: epochs must come one after the other, from 0',
  ]);
  assert.deepEqual(
    await faults([
      [0, first],
      [2, third],
    ]),
    ['log[epoch 2]: epoch 1 is missing: epochs must come one after the other, from 0'],
  );
  assert.deepEqual(
    await faults([
      [0, first],
      [1, second],
      [0, first],
    ]),
    ['log[epoch 0]: comes after epoch 1: epochs must come in ascending order, each once'],
  );
  assert.deepEqual(await faults([]), ['log: expected the log of at least one epoch, found none']);
  assert.deepEqual(await faults(['\n']), ['log[epoch 0]: expected at least one line, found none']);
});

test('instances that appear late, twice or not at all are named by epoch and line', async () => {
  const first = text(epochOf(0, [1, 2, 3]));
  assert.deepEqual(await faults([first, text(epochOf(1, [1, 7, 2, 8, 3]))]), [
    'log[epoch 1, line 2].guid: instance "7" is not in epoch 0: every instance must be in every epoch',
    'log[epoch 1, line 4].guid: instance "8" is not in epoch 0: every instance must be in every epoch',
  ]);
  assert.deepEqual(await faults([text(epochOf(0, [1, 2, 1]))]), [
    'log[epoch 0, line 3].guid: expected each instance once in an epoch, "1" is in line 1 already',
  ]);
  assert.deepEqual(await faults([first, text(epochOf(1, [2])), text(epochOf(2, [1, 2, 3]))]), [
    'log[epoch 1]: expected every instance of epoch 0 once, it lacks 2 instances, the first of them "1"',
  ]);
  const options = {known: known(['1', '2', '3', '4'], [1, 0, 1, 0])};
  assert.deepEqual(await faults([first], options), [
    'log[epoch 0]: expected every instance of datasets/pets, split train once, it lacks 1 instance, the first of them "4"',
  ]);
  assert.deepEqual(await faults([text(epochOf(0, [1, 2, 5]))], options), [
    'log[epoch 0, line 3].guid: expected the id of an instance of datasets/pets, split train, found "5"',
  ]);
});

test('a last epoch that lacks instances is dropped when that was asked for, no other', async () => {
  const epochs = [text(epochOf(0, [1, 2])), text(epochOf(1, [2, 1])), text(epochOf(2, [2]))];
  assert.deepEqual(await faults(epochs), [
    'log[epoch 2]: expected every instance of epoch 0 once, it lacks 1 instance, the first of them "1"',
  ]);
  const drop = {dropPartialLastEpoch: true};
  const {epochs: kept, warnings} = await read(epochs, drop);
  assert.equal(kept.length, 2);
  assert.deepEqual(warnings, ['epoch 2 was dropped: it lacks 1 instance, the first of them "1"']);
  assert.match(
    (await faults([epochs[0], text(epochOf(1, [2])), text(epochOf(2, [1, 2]))], drop))[0],
    /^log\[epoch 1\]/,
  );
  assert.match(
    (await faults([text(epochOf(0, [1]))], {...drop, known: known(['1', '2'], [1, 0])}))[0],
    /^log\[epoch 0\]/,
  );
  assert.equal((await read(epochs.slice(0, 2), drop)).epochs.length, 2);
});

test('logits of differing width, not finite or none, and labels out of range are named', async () => {
  const wrong: (Line | string)[] = [
    line(1, 0),
    line(2, 0, {logits_epoch_0: [1, 2, 3]}),
    line(3, 0, {logits_epoch_0: [1]}),
    '{"guid": 4, "logits_epoch_0": [NaN, 1.0], "gold": 0}',
    '{"guid": 5, "logits_epoch_0": [1.0, -Infinity], "gold": 0}',
    line(6, 0, {logits_epoch_0: [null, 1]}),
    line(7, 0, {logits_epoch_0: [1, 1e39]}),
    line(8, 0, {logits_epoch_0: '1 2'}),
    line(9, 1),
    line(10, 0, {gold: 2}),
    line(11, 0, {gold: -1}),
    line(12, 0, {gold: 0.5}),
    line(13, 0, {gold: 'cat'}),
    line('', 0),
    line(1.5, 0, {logits_epoch_0: [1, 2], gold: 0}),
    '[1]',
    '{"guid": 17,',
  ];
  const key = '.logits_epoch_0: expected';
  assert.deepEqual(
    (await faults([text(wrong)])).map(fault => fault.replace('log[epoch 0, line ', '')),
    [
      `2]${key} 2 logits, as in the first line, found 3`,
      `3]${key} 2 logits, as in the first line, found 1`,
      '4]: expected one JSON object, found NaN, which is no JSON',
      '5]: expected one JSON object, found Infinity, which is no JSON',
      `6]${key} finite numbers, found null for class 0`,
      `7]${key} finite numbers, found 1e+39 for class 1`,
      `8]${key} a list of numbers, one a class; found "1 2"`,
      `9]${key} a list of numbers, one a class; the object has "guid", "logits_epoch_1", "gold"`,
      '10].gold: expected a class index from 0 to 1, found 2',
      '11].gold: expected a class index from 0 to 1, found -1',
      '12].gold: expected a class index from 0 to 1, found 0.5',
      '13].gold: expected a class index from 0 to 1, found "cat"',
      '14].guid: expected a whole number or a text that is not empty, found ""',
      '15].guid: expected a whole number or a text that is not empty, found 1.5',
      '16]: expected one JSON object, found an array',
      '17]: expected one JSON object, found malformed JSON at character 12',
    ],
  );
  assert.deepEqual(await faults([text([line(1, 0, {logits_epoch_0: [1]})])]), [
    'log[epoch 0, line 1].logits_epoch_0: expected 2 to 10000 logits, found 1',
  ]);
  const three = known(['1'], [1], {classNames: ['a', 'b', 'c']});
  assert.deepEqual(await faults([text([line(1, 0)])], {known: three}), [
    'log[epoch 0, line 1].logits_epoch_0: expected 3 logits, the classes of datasets/pets, split train, found 2',
  ]);
  assert.deepEqual(await faults([text([line(1, 0)]), text([line(1, 1, {gold: 0})])]), [
    'log[epoch 1, line 1].gold: expected 1 as in epoch 0, found 0',
  ]);
});

test('the first twenty faults are named, and the rest is not read', async () => {
  let numRead = 0;
  async function* endless(): AsyncGenerator<LogPart> {
    for (; numRead < 1000; numRead++) yield {epoch: 0, data: Buffer.from('{}\n')};
  }
  const error: unknown = await readDynamicsLog(endless(), {dropPartialLastEpoch: false}).catch(error => error);
  assert.ok(error instanceof FtftError && error.details.violations?.length === 20);
  assert.match(error.message, /; 19 more, and the rest was not read$/);
  assert.ok(numRead < 30, `${numRead} lines read`);
});

test('a line without an end, and bytes that are not UTF-8, are errors with their line', async () => {
  assert.match(
    (await faults([`${text(epochOf(0, [1]))}"${'x'.repeat(1 << 20)}`]))[0],
    /^log\[epoch 0, line 2\]: expected at most/,
  );
  async function* latin() {
    yield {epoch: 0, data: Buffer.concat([Buffer.from(text(epochOf(0, [1]))), Buffer.of(0xe9, 10)])};
  }
  await assert.rejects(readDynamicsLog(latin(), {dropPartialLastEpoch: false}), /epoch 0, line 2\]: expected UTF-8/);
});

test('each log may be packed, and one that is damaged is named by its epoch', async () => {
  const whole = [text(epochOf(0, [5, 2, 9])), text(epochOf(1, [9, 5, 2]))];
  async function* packed(length: number): AsyncGenerator<LogPart> {
    yield {epoch: 0, data: Buffer.from(whole[0])};
    yield {epoch: 1, data: gzipSync(whole[1]).subarray(0, length)};
  }
  const options = {dropPartialLastEpoch: false};
  assert.deepEqual(await readDynamicsLog(packed(1000), options), await read(whole));
  await assert.rejects(readDynamicsLog(packed(40), options), /log\[epoch 1\]: expected a whole gzip file/);
});

test('a log that is damaged anywhere is read as another whole one or refused, never half', async () => {
  const whole = [text(epochOf(0, [5, 2, 9])), text(epochOf(1, [9, 5, 2]))];
  let numRefused = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const damaged = whole.map(content => Buffer.from(content));
    const stream = randomStream(seed, 'data');
    const random = (below: number) => Math.floor(stream() * below);
    const bytes = damaged[random(2)];
    for (let n = random(3); n >= 0; n--) bytes[random(bytes.length)] = random(256);
    async function* source() {
      for (const [epoch, data] of damaged.entries()) yield {epoch, data};
    }
    try {
      const dynamics = await readDynamicsLog(source(), {dropPartialLastEpoch: false});
      assert.deepEqual([dynamics.epochs.length, dynamics.golds.length], [2, dynamics.guids!.length]);
      for (const logits of logitsOf(dynamics)) assert.equal(logits.length, dynamics.golds.length * dynamics.numClasses);
    } catch (error) {
      assert.ok(error instanceof FtftError, `seed ${seed}: ${error}`);
      numRefused++;
    }
  }
  assert.ok(numRefused > 1500, `${numRefused} refused`);
});
