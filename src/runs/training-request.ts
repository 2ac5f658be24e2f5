// A request to train → a specification with every default filled in, or everything that is wrong with it.
import {FtftError, invalidFields} from '../errors.js';
import {defaultStepFraction} from '../pipeline/methods.js';
import {budgetSteps, ermSteps, stepsPerEpoch} from '../pipeline/schedule.js';
import type {MainCreation, RunCreation} from './api.js';
import {planEarlyStopping} from './early-stopping-request.js';
import {FieldRules, shown} from './field-rules.js';
import type {DataMapRecord, DatasetRecord, RunEarlyStopping, TrainingSpec} from './types.js';

const defaults = {
  trainSplit: 'train',
  layers: 0,
  maxLength: 300,
  epochs: 4,
  batchSize: 32,
  learningRate: 2e-5,
  warmupRatio: 0.1,
  weightDecay: 0,
  precision: 'FLOAT32',
  seed: 0,
  maxAttempts: 3,
  priority: 0,
  scheduleSpan: 'STEP_BUDGET',
} as const;
const maxInt32 = 2 ** 31 - 1;

/** What a run is to do, in numbers. */
export interface TrainingPlan {
  spec: TrainingSpec;
  /** Optimizer updates. */
  totalSteps: number;
  /** Epochs over the trained instances that these hold, the last one perhaps partial. */
  totalEpochs: number;
  /** Updates that the learning-rate schedule spans, where that is not the budget. */
  scheduleSteps?: number;
  earlyStopping?: RunEarlyStopping;
}

/** What only a main run may have. */
type MainRequest = Pick<MainCreation, 'method' | 'budget' | 'earlyStopping'>;

/** dataset: undefined where there is none of that name; map: of a main run. INVALID_ARGUMENT/INVALID_FIELD with all violations. */
export function planTraining(
  what: string,
  {id, spec: input, labels}: RunCreation,
  {dataset, map, main = {}}: {dataset: DatasetRecord | undefined; map?: DataMapRecord; main?: MainRequest},
  kind: 'REFERENCE' | 'MAIN',
): TrainingPlan {
  const rules = new FieldRules();
  rules.id('run_id', id);
  rules.labels(labels);
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const filled = {...defaults, ...given} as typeof defaults & RunCreation['spec'] & TrainingSpec;
  const spec: TrainingSpec = {
    ...filled,
    evaluationSplits: input.evaluationSplits ?? otherSplits(dataset, [filled.trainSplit, ...(input.testSplits ?? [])]),
    evaluationIntervalSteps: input.evaluationIntervalSteps ?? 1,
  };
  checkNumbers(spec, kind, rules);
  checkSplits(spec, dataset, rules);
  checkBudget(main.budget, rules);
  const numTrain = dataset?.splits.find(({name}) => name === spec.trainSplit)?.instanceCount ?? 1;
  const ermLength = ermSteps(numTrain, spec.batchSize, spec.epochs);
  const totalSteps = kind === 'REFERENCE' ? ermLength : stepsOf(main, ermLength);
  const spansErm = spec.scheduleSpan === 'ERM_LENGTH';
  if (spansErm && dataset && totalSteps > ermLength)
    rules.violate(
      'spec.schedule_span',
      `must be STEP_BUDGET where the budget, ${totalSteps} steps, is longer than ERM, ${ermLength} steps`,
    );
  const epochSteps = Math.max(1, stepsPerEpoch(map?.selectedCount ?? numTrain, spec.batchSize));
  const evaluationIntervalSteps = input.evaluationIntervalSteps ?? epochSteps;
  const evaluated = {...spec, evaluationIntervalSteps};
  const earlyStopping = main.earlyStopping && planEarlyStopping(main.earlyStopping, evaluated, dataset, rules);
  if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
  return {
    spec: evaluated,
    totalSteps,
    totalEpochs: Math.ceil(totalSteps / epochSteps),
    ...(spansErm && {scheduleSteps: ermLength}),
    ...(earlyStopping && {earlyStopping}),
  };
}

/** FAILED_PRECONDITION where the map does not serve the specification. */
export function checkMapServes(what: string, map: DataMapRecord, {dataset, trainSplit}: TrainingSpec): void {
  const refuse = (reason: string, description: string) =>
    new FtftError('FAILED_PRECONDITION', `${what}: dataMaps/${map.id} ${description}`, {
      reason,
      resource: {type: 'DataMap', name: `dataMaps/${map.id}`},
    });
  if (map.dataset !== dataset || map.trainSplit !== trainSplit)
    throw refuse(
      'DATA_MAP_OF_OTHER_DATASET',
      `must be of datasets/${dataset}, split ${trainSplit}; it is of ${map.dataset === '' ? 'dynamics imported without a data set' : `datasets/${map.dataset}, split ${map.trainSplit}`}`,
    );
  if (!map.isFinal)
    throw refuse(
      'DATA_MAP_NOT_FINAL',
      `must be final, but runs/${map.run} had not finished when it was built; build it anew`,
    );
}

/** FAILED_PRECONDITION/SELECTION_EMPTY. */
export function checkSelected(what: string, map: DataMapRecord): void {
  if (map.selectedCount > 0) return;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `${what}: dataMaps/${map.id} must select at least one instance, it selects none of the ${map.requestedCount} asked for (${map.thresholdTieCount} scores lie at the threshold); RULE_RANK selects in spite of ties`,
    {reason: 'SELECTION_EMPTY', resource: {type: 'DataMap', name: `dataMaps/${map.id}`}},
  );
}

function stepsOf({budget, method}: MainRequest, ermLength: number): number {
  if (budget && 'maxSteps' in budget) return budget.maxSteps;
  return budgetSteps(ermLength, budget?.stepFraction ?? defaultStepFraction(method));
}

function otherSplits(dataset: DatasetRecord | undefined, without: string[]): string[] {
  return (dataset?.splits ?? []).map(({name}) => name).filter(name => !without.includes(name));
}

function checkNumbers(spec: TrainingSpec, kind: 'REFERENCE' | 'MAIN', rules: FieldRules): void {
  if (spec.dataset === '') rules.violate('spec.dataset', 'is required');
  if (spec.model === '') rules.violate('spec.model', 'is required');
  rules.integer('spec.layers', spec.layers, 0, 1000);
  rules.integer('spec.max_length', spec.maxLength, 3, 1 << 20);
  if (kind === 'REFERENCE' && (spec.epochs === 0 || spec.epochs === 1))
    rules.violate('spec.epochs', `must be at least 2, since variability needs two, current value is ${spec.epochs}`);
  else rules.integer('spec.epochs', spec.epochs, kind === 'REFERENCE' ? 2 : 1, 10_000);
  rules.integer('spec.batch_size', spec.batchSize, 1, 1 << 16);
  rules.number('spec.learning_rate', spec.learningRate, rate => rate > 0 && rate <= 1, 'more than 0 and at most 1');
  rules.number('spec.warmup_ratio', spec.warmupRatio, ratio => ratio >= 0 && ratio <= 1, 'from 0 to 1');
  rules.number('spec.weight_decay', spec.weightDecay, decay => decay >= 0 && decay <= 1, 'from 0 to 1');
  if (!['FLOAT32', 'BFLOAT16'].includes(spec.precision))
    rules.violate('spec.precision', `must be FLOAT32 or BFLOAT16, current value is ${spec.precision}`);
  rules.integer('spec.seed', spec.seed, 0, 2 ** 32 - 1);
  rules.integer('spec.evaluation_interval_steps', spec.evaluationIntervalSteps, 1, maxInt32);
  if (spec.executionTimeoutMs !== undefined)
    rules.number('spec.execution_timeout', spec.executionTimeoutMs, ms => ms > 0, 'more than 0');
  rules.integer('spec.max_attempts', spec.maxAttempts, 1, 1000);
  rules.integer('spec.priority', spec.priority, -maxInt32, maxInt32);
}

function checkSplits(spec: TrainingSpec, dataset: DatasetRecord | undefined, rules: FieldRules): void {
  const {evaluationSplits, trainSplit, testSplits = []} = spec;
  const repeated = evaluationSplits.find((name, i) => evaluationSplits.indexOf(name) !== i);
  if (repeated !== undefined)
    rules.violate('spec.evaluation_splits', `must name each split once, ${shown(repeated)} is twice in it`);
  const known = [...evaluationSplits, ...testSplits];
  const again = testSplits.find((name, i) => known.indexOf(name) !== evaluationSplits.length + i);
  if (again !== undefined)
    rules.violate(
      'spec.test_splits',
      `must name each split once, and none of evaluation_splits: ${shown(again)} is twice in them`,
    );
  if (!dataset) return;
  const names = dataset.splits.map(({name}) => name);
  const check = (field: string, name: string) => {
    if (!names.includes(name))
      rules.violate(
        field,
        `must be a split of datasets/${dataset.id} (${names.join(', ')}), current value is ${shown(name)}`,
      );
  };
  check('spec.train_split', trainSplit);
  evaluationSplits.forEach((name, i) => {
    check(`spec.evaluation_splits[${i}]`, name);
  });
  testSplits.forEach((name, i) => {
    check(`spec.test_splits[${i}]`, name);
  });
}

function checkBudget(budget: MainRequest['budget'], rules: FieldRules): void {
  if (!budget) return;
  if ('maxSteps' in budget) rules.integer('max_steps', budget.maxSteps, 1, maxInt32);
  else
    rules.number('step_fraction', budget.stepFraction, share => share > 0 && share <= 1, 'more than 0 and at most 1');
}
