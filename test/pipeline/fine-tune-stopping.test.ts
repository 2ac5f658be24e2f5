// Early stopping in the training loop, with a fake model: where it ends, what it keeps, and that an interruption changes neither.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {NamedTensor} from '../../src/data/types.js';
import {watchRounds} from '../../src/pipeline/early-stopping.js';
import {fineTune} from '../../src/pipeline/fine-tune.js';
import {keepBest} from '../../src/pipeline/keep-best.js';
import {learningRateAt} from '../../src/pipeline/schedule.js';
import type {EarlyStopping, Evaluation, TrainingEvent, TrainingOptions} from '../../src/pipeline/types.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';
import {range} from './parity-cases.js';

const dataset = smallDataset(10);
const everyInstance = range(10);
/** Labels of which some are wrong: its loss falls, and rises again as the model grows sure of itself. */
const noisy = smallDataset(30);
noisy.labels.forEach((label, i) => {
  if (i % 5 === 0) noisy.labels[i] = 1 - label;
});
const onLoss: EarlyStopping = {metric: 'loss', splits: ['noisy'], aggregate: 'mean', patience: 2};
const options = (changes: Partial<TrainingOptions> = {}): TrainingOptions => ({
  ...{totalSteps: 60, batchSize: 4, learningRate: 0.1, warmupRatio: 0.1, seed: 1},
  evaluationIntervalSteps: 2,
  evaluationSets: [
    {split: 'clean', isOutOfDistribution: false, dataset: smallDataset(6)},
    {split: 'noisy', isOutOfDistribution: true, dataset: noisy},
  ],
  ...changes,
});

const weightsOf = (tensors: NamedTensor[]) => tensors.map(({read}) => [...read()]);
const roundsOf = (events: TrainingEvent[]) =>
  events.flatMap(event => (event.kind === 'evaluations' ? [event.evaluations] : []));

/** Every event, the weights at each round, and what the classifier has at the end. */
async function train(how: TrainingOptions, classifier = fakeClassifier()) {
  const events: TrainingEvent[] = [];
  const weightsAt = new Map<number, number[][]>();
  const training = keepBest(classifier, fineTune(classifier, dataset, everyInstance, how));
  for (;;) {
    const {done, value} = await training.next();
    if (done) return {events, weightsAt, kept: value, weights: weightsOf(classifier.weights()), classifier};
    events.push(value);
    if (value.kind === 'evaluations') weightsAt.set(value.steps, weightsOf(classifier.weights()));
  }
}

test('training ends after the rounds of patience, and its best weights are kept', async () => {
  const whole = await train(options());
  const rounds = roundsOf(whole.events);
  const stop = rounds.findIndex((_, i) => watchRounds(rounds.slice(0, i + 1), onLoss).isOver);
  const {bestSteps} = watchRounds(rounds.slice(0, stop + 1), onLoss);
  assert.ok(
    stop > 2 && stop < rounds.length - 1 && bestSteps > 2,
    `stops after round ${stop + 1}, best at ${bestSteps}`,
  );

  const stopped = await train(options({earlyStopping: onLoss}));
  assert.deepEqual(roundsOf(stopped.events), rounds.slice(0, stop + 1), 'to the same bits as without stopping');
  assert.equal(stopped.classifier.calls.length, 2 * (stop + 1));
  assert.deepEqual(stopped.weights, whole.weightsAt.get(bestSteps));
  assert.notDeepEqual(stopped.weights, stopped.weightsAt.get(2 * (stop + 1)), 'not the last ones');
  assert.equal(stopped.kept.evaluations?.[1].steps, bestSteps);
  assert.deepEqual(whole.kept.evaluations, undefined);
});

test('each round tells what is watched, and the last that training is over', async () => {
  const {events} = await train(options({earlyStopping: onLoss}));
  const watches = events.flatMap(event => (event.kind === 'evaluations' ? [event.watch!] : []));
  const rounds = roundsOf(events);
  watches.forEach((watch, i) => {
    assert.deepEqual(watch, watchRounds(rounds.slice(0, i + 1), onLoss));
    assert.equal(watch.isOver, i === watches.length - 1);
  });
});

test('an epoch that early stopping cuts is dropped, with a word', async () => {
  const {events} = await train(options({earlyStopping: onLoss, evaluationIntervalSteps: 1}));
  const last = events.findLastIndex(event => event.kind === 'evaluations');
  assert.equal(events[last + 1]?.kind, 'partial-epoch-dropped');
  assert.equal(events.length, last + 2);
});

test('the best weights are kept too where training goes on to the end of its budget', async () => {
  const {kept, weights, weightsAt, classifier} = await train(
    options({totalSteps: 30, earlyStopping: {...onLoss, patience: 100}}),
  );
  assert.equal(classifier.calls.length, 30);
  const {steps} = kept.evaluations![0];
  assert.ok(steps < 30);
  assert.deepEqual(weights, weightsAt.get(steps));
});

for (const epochsDone of [1, 2, 3])
  test(`stopping after an interruption in epoch ${epochsDone + 1} is stopping without one`, async () => {
    const how = options({earlyStopping: {...onLoss, patience: 1}, evaluationIntervalSteps: 3});
    const whole = await train(how);
    const numEpochs = whole.events.filter(({kind}) => kind === 'epoch').length;
    assert.ok(numEpochs > 3, `${numEpochs} epochs`);

    const first = fakeClassifier();
    const cut = {steps: 0, committedEpochs: [] as never[], rounds: [] as Evaluation[][]};
    let saved: NamedTensor[] = [];
    for await (const event of fineTune(first, dataset, everyInstance, how)) {
      // The round that is due with the epoch was made: a round is of the checkpoint of its own step.
      if (event.kind === 'evaluations') cut.rounds.push(event.evaluations);
      if (event.kind === 'epoch-started' && event.epoch === epochsDone) break;
      if (event.kind !== 'epoch') continue;
      cut.committedEpochs.push(event.dynamics as never);
      cut.steps = event.steps;
      saved = first.state().map(tensor => ({
        ...tensor,
        read: (
          values => () =>
            values
        )(tensor.read()),
      }));
    }
    const second = fakeClassifier();
    second.restore(saved);
    const resumed = await train({...how, resume: cut}, second);
    assert.deepEqual(roundsOf(resumed.events), roundsOf(whole.events).slice(cut.rounds.length));
    assert.equal(first.calls.length + second.calls.length, whole.classifier.calls.length);
    const last = (events: TrainingEvent[]) => events.findLast(event => event.kind === 'evaluations');
    assert.deepEqual({...last(resumed.events), seconds: 0}, {...last(whole.events), seconds: 0});
  });

test('a training that was over when it was interrupted makes no other step', async () => {
  const how = options({earlyStopping: {...onLoss, patience: 1}, evaluationIntervalSteps: 3});
  const {events} = await train(how);
  const rounds = roundsOf(events);
  const steps = rounds[rounds.length - 1][0].steps;
  assert.equal(steps % 3, 0, 'three steps an epoch');
  const committedEpochs = events.flatMap(event => (event.kind === 'epoch' ? [event.dynamics] : []));
  const again = await train({...how, resume: {steps, committedEpochs, rounds}});
  assert.deepEqual([again.events, again.classifier.calls], [[], []]);
});

test('the rates are those of the whole ERM length where the schedule spans it', async () => {
  const {classifier} = await train(options({totalSteps: 6, scheduleSteps: 18, evaluationSets: []}));
  const rates = Array.from({length: 6}, (_, step) => learningRateAt(step, options({totalSteps: 18})));
  assert.deepEqual(
    classifier.calls.map(({learningRate}) => learningRate),
    rates,
  );
});

test('what cannot be is refused: splits that are not evaluated, no patience, a schedule shorter than the budget', async () => {
  const refused = async (changes: Partial<TrainingOptions>, message: RegExp) =>
    assert.rejects(train(options(changes)), {code: 'INVALID_ARGUMENT', message});
  await refused({earlyStopping: {...onLoss, splits: ['noisy', 'gone']}}, /early_stopping\.splits .*clean, noisy.*gone/);
  await refused({earlyStopping: {...onLoss, splits: []}}, /early_stopping\.splits/);
  await refused({earlyStopping: {...onLoss, patience: 0}}, /early_stopping\.patience/);
  await refused({scheduleSteps: 59}, /schedule_steps must be at least the 60/);
});

test('a reader that leaves ends the training below', async () => {
  const classifier = fakeClassifier();
  for await (const event of keepBest(classifier, fineTune(classifier, dataset, everyInstance, options())))
    if (event.kind === 'step' && event.steps === 3) break;
  assert.equal(classifier.calls.length, 3);
});
