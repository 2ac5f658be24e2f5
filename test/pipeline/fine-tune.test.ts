// The training loop, with a fake model: what it visits, records, tells, and how it stops and goes on.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {padBatch} from '../../src/data/batches.js';
import type {NamedTensor} from '../../src/data/types.js';
import {fineTune} from '../../src/pipeline/fine-tune.js';
import {goldProbability} from '../../src/pipeline/logits.js';
import {learningRateAt} from '../../src/pipeline/schedule.js';
import type {TrainingDynamics, TrainingEvent, TrainingOptions} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';
import {parityCases, range} from './parity-cases.js';

const dataset = smallDataset(10);
const everyInstance = range(10);
const sets = [{split: 'test', isOutOfDistribution: false, dataset: smallDataset(6)}];
const options = (changes: Partial<TrainingOptions> = {}): TrainingOptions => ({
  totalSteps: 9,
  batchSize: 4,
  learningRate: 0.5,
  warmupRatio: 0.1,
  seed: 1,
  evaluationIntervalSteps: 3,
  evaluationSets: [],
  ...changes,
});

async function drain(
  training: AsyncGenerator<TrainingEvent, TrainingDynamics>,
  onEvent: (event: TrainingEvent) => void = () => {},
): Promise<{events: TrainingEvent[]; dynamics: TrainingDynamics}> {
  const events: TrainingEvent[] = [];
  for (;;) {
    const {done, value} = await training.next();
    if (done) return {events, dynamics: value};
    events.push(value);
    onEvent(value);
  }
}

/** Without what depends on the clock. */
const timeless = (events: TrainingEvent[]) => events.map(event => ({...event, seconds: 0, dynamicsSeconds: 0}));
const kinds = (events: TrainingEvent[]) =>
  events.map(event => ('steps' in event ? `${event.kind}@${event.steps}` : `${event.kind}:${event.epoch}`));

test('every epoch visits every instance once, in an order of its own', async () => {
  const classifier = fakeClassifier();
  await drain(fineTune(classifier, dataset, everyInstance, options()));
  const visited = [0, 3, 6].map(first => classifier.calls.slice(first, first + 3).flatMap(call => call.instances));
  for (const order of visited)
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      [...everyInstance],
    );
  assert.notDeepEqual(visited[0], visited[1]);
});

test('updates are counted from 0 and get the rates of the schedule', async () => {
  const classifier = fakeClassifier();
  await drain(fineTune(classifier, dataset, everyInstance, options()));
  assert.deepEqual(
    classifier.calls.map(({step, learningRate}) => ({step, learningRate})),
    Array.from({length: 9}, (_, step) => ({step, learningRate: learningRateAt(step, options())})),
  );
});

test('dynamics are the logits before the update that used the instance, at the place of the instance', async () => {
  const classifier = fakeClassifier();
  const seen = new Map<string, number[]>();
  const trainStep = classifier.trainStep;
  let epoch = 0;
  classifier.trainStep = async (batch, at) => {
    const before = await classifier.predict(batch);
    for (let b = 0; b < batch.batchSize; b++)
      seen.set(`${epoch}/${batch.instances[b]}`, [...before.subarray(2 * b, 2 * b + 2)]);
    return trainStep(batch, at);
  };
  const {dynamics} = await drain(fineTune(classifier, dataset, everyInstance, options()), event => {
    if (event.kind === 'epoch') epoch++;
  });
  assert.equal(dynamics.epochs.length, 3);
  for (const [e, {logits, pTrue, isCorrect}] of dynamics.epochs.entries())
    for (const i of everyInstance) {
      const row = seen.get(`${e}/${i}`)!;
      assert.deepEqual([...logits.subarray(2 * i, 2 * i + 2)], row);
      assert.equal(pTrue[i], goldProbability(Float32Array.from(row), 0, 2, i % 2));
      assert.equal(isCorrect[i], Number((row[1] > row[0] ? 1 : 0) === i % 2));
    }
});

test('a subset has columns in ascending order of its own instances', async () => {
  const instances = Int32Array.of(2, 3, 7);
  const classifier = fakeClassifier();
  const {dynamics} = await drain(fineTune(classifier, dataset, instances, options({batchSize: 2, totalSteps: 4})));
  assert.deepEqual(dynamics.instances, instances);
  assert.deepEqual(dynamics.labels, Int32Array.of(0, 1, 1));
  assert.deepEqual(
    dynamics.epochs.map(({pTrue}) => pTrue.length),
    [3, 3],
  );
  assert.deepEqual([...new Set(classifier.calls.flatMap(call => call.instances))].sort(), [2, 3, 7]);
});

test('events tell each step, then the epoch, then the evaluations due; one more follows the last step', async () => {
  const how = options({totalSteps: 8, evaluationIntervalSteps: 2, evaluationSets: sets});
  const {events} = await drain(fineTune(fakeClassifier(), dataset, everyInstance, how));
  assert.deepEqual(kinds(events), [
    'epoch-started:0',
    'step@1',
    'step@2',
    'evaluations@2',
    'step@3',
    'epoch@3',
    'epoch-started:1',
    'step@4',
    'evaluations@4',
    'step@5',
    'step@6',
    'epoch@6',
    'evaluations@6',
    'epoch-started:2',
    'step@7',
    'step@8',
    'partial-epoch-dropped:2',
    'evaluations@8',
  ]);
  const partial = events.find(event => event.kind === 'partial-epoch-dropped');
  assert.deepEqual(partial, {kind: 'partial-epoch-dropped', epoch: 2, visited: 8, numInstances: 10, warnings: []});
  const committed = events.flatMap(event => (event.kind === 'evaluations' ? event.committedEpochs : []));
  assert.deepEqual(committed, [0, 1, 2, 2]);
});

test('a step tells its padded tokens, and an epoch the mean loss over its instances', async () => {
  const {events} = await drain(fineTune(fakeClassifier(), dataset, everyInstance, options({totalSteps: 3})));
  const steps = events.filter(event => event.kind === 'step');
  assert.deepEqual(
    steps.map(step => step.instances),
    [4, 4, 2],
  );
  assert.ok(steps.every(step => step.tokens % step.instances === 0 && step.tokens / step.instances <= 3));
  const real = steps.reduce((sum, step) => sum + step.realTokens, 0);
  assert.equal(real, dataset.inputIds.length, 'real tokens leave the padding out');
  assert.ok(steps.every(step => step.dynamicsSeconds >= 0 && step.dynamicsSeconds < step.seconds));
  const [epoch] = events.filter(event => event.kind === 'epoch');
  const mean = steps.reduce((sum, step) => sum + step.loss * step.instances, 0) / 10;
  assert.ok(Math.abs(epoch.trainLoss - mean) < 1e-12);
});

test('as many epochs are kept as the parity kit says', {skip: needsShared}, async () => {
  const whole = parityCases().epoch_bookkeeping_cases.filter(({max_steps}) => max_steps !== undefined);
  assert.equal(whole.length, 4);
  for (const {id, N, batch, max_steps, epochs_kept} of whole) {
    const how = options({totalSteps: max_steps, batchSize: batch});
    const {dynamics} = await drain(fineTune(fakeClassifier(), smallDataset(N), range(N), how));
    assert.equal(dynamics.epochs.length, epochs_kept, id);
  }
});

test('an epoch that visits one instance twice and another never is not whole', async () => {
  const training = fineTune(
    fakeClassifier(),
    dataset,
    Int32Array.of(0, 1),
    options({totalSteps: 2, batchSize: 1}),
    () => [padBatch(dataset, Int32Array.of(0)), padBatch(dataset, Int32Array.of(0))],
  );
  const {events, dynamics} = await drain(training);
  assert.equal(dynamics.epochs.length, 0);
  const {warnings: _, ...dropped} = events.at(-1) as Extract<TrainingEvent, {kind: 'partial-epoch-dropped'}>;
  assert.deepEqual(dropped, {kind: 'partial-epoch-dropped', epoch: 0, visited: 1, numInstances: 2});
});

test('logits that are zero count as visited: the first epoch of an untrained model is kept', async () => {
  const {dynamics} = await drain(
    fineTune(fakeClassifier(), dataset, everyInstance, options({totalSteps: 3, warmupRatio: 1})),
  );
  assert.deepEqual(dynamics.epochs[0].logits.subarray(0, 2), new Float32Array(2));
  assert.equal(dynamics.epochs.length, 1);
});

for (const epochsDone of [1, 2, 3])
  test(`a training resumed after ${epochsDone} of its epochs equals an uninterrupted one`, async () => {
    const how = options({totalSteps: 11, evaluationIntervalSteps: 3, evaluationSets: sets});
    const whole = await drain(fineTune(fakeClassifier(), dataset, everyInstance, how));

    const first = fakeClassifier();
    let saved: NamedTensor[] = [];
    const cut = {committedEpochs: [] as TrainingDynamics['epochs'], steps: 0};
    for await (const event of fineTune(first, dataset, everyInstance, how)) {
      if (event.kind !== 'epoch') continue;
      saved = first.state().map(tensor => ({
        ...tensor,
        read: (
          values => () =>
            values
        )(tensor.read()),
      }));
      cut.committedEpochs.push(event.dynamics);
      cut.steps = event.steps;
      if (event.epoch + 1 === epochsDone) break;
    }

    const second = fakeClassifier();
    second.restore(saved);
    const resumed = await drain(fineTune(second, dataset, everyInstance, {...how, resume: cut}));
    assert.deepEqual(resumed.dynamics, whole.dynamics);
    const place = whole.events.findIndex(event => event.kind === 'epoch' && event.epoch + 1 === epochsDone);
    assert.deepEqual(timeless(resumed.events), timeless(whole.events.slice(place + 1)));
  });

test('an evaluation that is kept is not made again on resuming', async () => {
  const how = options({totalSteps: 6, evaluationSets: sets});
  const {dynamics, events} = await drain(fineTune(fakeClassifier(), dataset, everyInstance, how));
  const rounds = events.flatMap(event => (event.kind === 'evaluations' ? [event.evaluations] : []));
  const resume = {steps: 6, committedEpochs: dynamics.epochs};
  const again = await drain(fineTune(fakeClassifier(), dataset, everyInstance, {...how, resume}));
  assert.deepEqual(kinds(again.events), ['evaluations@6']);
  const kept = await drain(fineTune(fakeClassifier(), dataset, everyInstance, {...how, resume: {...resume, rounds}}));
  assert.deepEqual(kept.events, []);
  assert.deepEqual(kept.dynamics, dynamics);
});

test('what goes wrong is told with the epoch or the round that shows it', async () => {
  const how = options({totalSteps: 4, learningRate: 1e-6, evaluationSets: sets});
  const {events} = await drain(fineTune(fakeClassifier(), dataset, everyInstance, how));
  const warned = events.flatMap(event =>
    'warnings' in event ? event.warnings.map(({code}) => [event.kind, code]) : [],
  );
  assert.deepEqual(warned, [['epoch', 'NOT_CONVERGING']], 'three of four steps are three quarters of the budget');
});

test('an aborted signal ends training before the next step, with its reason', async () => {
  const abort = new AbortController();
  const classifier = fakeClassifier();
  const training = fineTune(classifier, dataset, everyInstance, options({signal: abort.signal}));
  const stopAfterTwo = (event: TrainingEvent) => {
    if (event.kind === 'step' && event.steps === 2) abort.abort(new Error('stopped by the caller'));
  };
  await assert.rejects(drain(training, stopAfterTwo), /stopped by the caller/);
  assert.equal(classifier.calls.length, 2);
});

for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
  test(`a loss of ${bad} ends training, naming step and rate, and the step is not told`, async () => {
    const classifier = fakeClassifier(2, 8, step => (step === 4 ? bad : 0.5));
    const events: TrainingEvent[] = [];
    const training = fineTune(classifier, dataset, everyInstance, options());
    await assert.rejects(
      drain(training, event => void events.push(event)),
      {
        code: 'FAILED_PRECONDITION',
        message: /at step 5 it was (NaN|Infinity) \(learning rate 2\.778e-1/,
        details: {reason: 'LOSS_NOT_FINITE', metadata: {step: '5', learning_rate: String(0.5 * (5 / 9))}},
      },
    );
    assert.equal(kinds(events).at(-1), 'step@4');
  });

test('no instances, no steps and a resume point inside an epoch are refused', async () => {
  const run = (instances: Int32Array, changes: Partial<TrainingOptions>) =>
    drain(fineTune(fakeClassifier(), dataset, instances, options(changes)));
  await assert.rejects(run(new Int32Array(), {}), {details: {reason: 'SELECTION_EMPTY'}});
  await assert.rejects(run(everyInstance, {totalSteps: 0}), {code: 'INVALID_ARGUMENT', message: /total_steps/});
  await assert.rejects(run(everyInstance, {resume: {steps: 2, committedEpochs: []}}), {message: /resume\.steps/});
});
