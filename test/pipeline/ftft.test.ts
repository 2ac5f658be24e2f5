// The six stages with the real MiniLM: what it learns from true labels, and that it learns nothing from shuffled ones.
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {test} from 'node:test';
import {readConfig} from '../../src/config.js';
import {type FtftOptions, type FtftResult, ftft, type Task} from '../../src/pipeline/ftft.js';
import type {TrainingEvent} from '../../src/pipeline/types.js';
import {classNames, shuffleLabels, testTexts, trainTexts} from './sentiment-texts.js';

const model = {
  folder: join(readConfig(process.env).modelDir, 'minilm-l6'),
  maxLength: 32,
  batchSize: 16,
  learningRate: 1e-4,
  warmupRatio: 0.1,
  weightDecay: 0,
  seed: 1,
};

async function run(
  train: Task['train'],
  changes: Partial<FtftOptions> = {},
): Promise<{events: TrainingEvent[]; result: FtftResult}> {
  const evaluationSets = [{split: 'other-words', isOutOfDistribution: true, examples: testTexts()}];
  const stages = ftft(
    {classNames, train, evaluationSets},
    {
      reference: {...model, epochs: 2},
      main: {...model, epochs: 3, stepFraction: 1},
      selection: {criterion: {region: 'ambiguous'}, fraction: 0.5, rule: 'rank', seed: 0},
      variabilityEstimator: 'sample',
      ...changes,
    },
  );
  const events: TrainingEvent[] = [];
  for (;;) {
    const {done, value} = await stages.next();
    if (done) {
      value.main.dispose();
      return {events, result: value};
    }
    events.push(value);
  }
}

test('the six stages learn from true labels, far above chance on texts with other words', async () => {
  const {events, result} = await run(trainTexts());
  const [{accuracy, instanceCount, steps, committedEpochs}] = result.evaluations;
  assert.equal(instanceCount, 80);
  assert.ok(accuracy >= 0.85, `accuracy was ${accuracy}`);
  assert.equal(result.subset?.instances.length, 60);
  assert.equal(result.dataMap?.numInstances, 120);
  assert.deepEqual({steps, committedEpochs}, {steps: 24, committedEpochs: 6});
  const epochs = events.filter(event => event.kind === 'epoch').map(({dynamics}) => dynamics.pTrue.length);
  assert.deepEqual(epochs, [120, 120, 60, 60, 60, 60, 60, 60]);
});

test('methods differ in what the main model is trained on: everything, its own map, another region of the map', async () => {
  const short = {main: {...model, epochs: 2, stepFraction: 0.5}};
  const texts = trainTexts().slice(0, 48);
  const trained = async (method: FtftOptions['method']) => {
    const {events, result} = await run(texts, {...short, method});
    const sizes = events.filter(event => event.kind === 'epoch').map(({dynamics}) => dynamics.pTrue.length);
    return {sizes, instances: [...(result.subset?.instances ?? [])], map: result.dataMap};
  };
  const erm = await trained('erm');
  assert.deepEqual([erm.sizes, erm.map], [[48], undefined], 'no reference is trained');
  const [ftftRun, hard] = [await trained('ftft'), await trained('hard-to-learn')];
  assert.deepEqual(ftftRun.sizes, [48, 48, 24]);
  assert.deepEqual(hard.map, ftftRun.map);
  assert.notDeepEqual(hard.instances, ftftRun.instances);
  const own = await trained('data-map');
  assert.equal(own.sizes.length, 3);
});

test('under early stopping the main model ends with the weights of its best round', async () => {
  const earlyStopping = {metric: 'loss', splits: ['other-words'], aggregate: 'mean', patience: 1} as const;
  const stopping = {...earlyStopping, splits: ['other-words'], evaluationIntervalSteps: 3};
  const {events, result} = await run(trainTexts(), {
    main: {...model, learningRate: 5e-4, epochs: 6, stepFraction: 1, earlyStopping: stopping},
    method: 'erm',
  });
  const rounds = events.filter(event => event.kind === 'evaluations');
  const {bestSteps, isOver} = rounds.at(-1)!.watch!;
  assert.ok(isOver && rounds.length < 16, `${rounds.length} rounds`);
  assert.deepEqual(result.evaluations, rounds.find(({steps}) => steps === bestSteps)?.evaluations);
});

test('with shuffled labels accuracy falls to chance', async () => {
  // What chance labels teach about such uniform texts may be far from 0.5 for one shuffle; its mirror image teaches the opposite.
  const shuffled = shuffleLabels(trainTexts(), 1);
  const mirrored = shuffled.map(example => ({...example, label: 1 - example.label}));
  const accuracies: number[] = [];
  for (const train of [shuffled, mirrored]) accuracies.push((await run(train)).result.evaluations[0].accuracy);
  const mean = (accuracies[0] + accuracies[1]) / 2;
  assert.ok(Math.abs(mean - 0.5) <= 0.12, `accuracies were ${accuracies}`);
});
