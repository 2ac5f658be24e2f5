// A run that was asked for, before it begins, in; what it is expected to cost, and how that is known, out.
import {textLengths} from '../data/batches.js';
import {openCheckpoint} from '../data/checkpoint.js';
import {loadTokenizer} from '../data/tokenizer.js';
import {planWork, predictSeconds, type Rates, type Work, type WorkPlan} from '../pipeline/predict-cost.js';
import {ermSteps, numEvaluations, stepsPerEpoch} from '../pipeline/schedule.js';
import type {CheckedModel} from './accept-run.js';
import type {Datasets} from './datasets.js';
import type {MeasuredCosts} from './measured-costs.js';
import {methodCost, needsReference, type RunCost} from './method-cost.js';
import type {FoundRates, RateSources} from './rate-sources.js';
import {loadTokens} from './tokens.js';
import type {CostEstimate, DataMapRecord, RunRecord, TrainingSpec} from './types.js';

export interface PlannedRun {
  run: RunRecord;
  model: CheckedModel;
  map: DataMapRecord | undefined;
  /** Selected instances, ascending; all when undefined. */
  instances: Int32Array | undefined;
}

/** Tokens of each instance. */
interface Texts {
  train: Int32Array;
  evaluationSets: Int32Array[];
  testSets: Int32Array[];
}

export class CostEstimates {
  constructor(
    private readonly datasets: Datasets,
    private readonly measured: MeasuredCosts,
    private readonly sources: RateSources,
    private readonly tokensFolder: string,
  ) {}

  /** Makes tokens of the texts, as the run would, and may make some training steps. Errors are those of either. */
  async estimate(planned: PlannedRun): Promise<CostEstimate> {
    const {run, model} = planned;
    const texts = await this.texts(run.spec, model);
    const found = await this.sources.find(run.spec, planned);
    const work = planWork(planOf(planned, texts));
    const cost = costOf(work, found.rates);
    return {
      ...{
        note: found.note,
        ...(found.source && {source: found.source}),
        ...(found.run && {sourceRun: found.run}),
        work,
      },
      ...(cost.acceleratorMs !== undefined && {acceleratorMs: cost.acceleratorMs}),
      ...leastOf(planned, texts, found),
      ...(run.kind === 'MAIN' && {methodCost: await this.method(planned, texts, cost, found.rates)}),
    };
  }

  private async method({run, model, map}: PlannedRun, texts: Texts, main: RunCost, rates: Rates | undefined) {
    const reference = map && needsReference(run) ? await this.measured.reference(map) : undefined;
    const erm = (await this.measured.erm(run.spec)) ?? {cost: costOf(planWork(ermPlan(run, model, texts)), rates)};
    return methodCost({main, reference, erm});
  }

  private async texts(spec: TrainingSpec, model: CheckedModel): Promise<Texts> {
    const {config} = await openCheckpoint(model.folder);
    const tokenizer = await loadTokenizer(model.folder, config.vocabSize);
    const lengths = async (split: string) => {
      const source = await this.datasets.source(spec.dataset, split);
      const {numClasses} = model.shape;
      return textLengths(
        await loadTokens(source, tokenizer, {folder: this.tokensFolder, maxLength: spec.maxLength, numClasses}),
      );
    };
    const each = async (splits: string[]) => {
      const found: Int32Array[] = [];
      for (const split of splits) found.push(await lengths(split));
      return found;
    };
    return {
      train: await lengths(spec.trainSplit),
      evaluationSets: await each(spec.evaluationSplits),
      testSets: await each(spec.testSplits ?? []),
    };
  }
}

function planOf({run, model, instances}: PlannedRun, {train, evaluationSets, testSets}: Texts): WorkPlan {
  const {spec, progress, earlyStopping} = run;
  const {totalSteps} = progress;
  const interval = earlyStopping?.evaluationIntervalSteps ?? spec.evaluationIntervalSteps;
  return {
    ...{shape: model.shape, lengths: train, batchSize: spec.batchSize, seed: spec.seed, totalSteps, evaluationSets},
    testSets,
    instances: instances ?? Int32Array.from(train, (_, i) => i),
    numRounds: evaluationSets.length === 0 ? 0 : numEvaluations(totalSteps, interval),
  };
}

/** All instances, the whole length, evaluated once an epoch as a reference run is. */
function ermPlan({spec}: RunRecord, model: CheckedModel, {train, evaluationSets, testSets}: Texts): WorkPlan {
  const {batchSize, epochs, seed} = spec;
  const totalSteps = ermSteps(train.length, batchSize, epochs);
  const interval = stepsPerEpoch(train.length, batchSize);
  return {
    ...{shape: model.shape, lengths: train, batchSize, seed, totalSteps, evaluationSets},
    testSets,
    instances: Int32Array.from(train, (_, i) => i),
    numRounds: evaluationSets.length === 0 ? 0 : numEvaluations(totalSteps, interval),
  };
}

/** Were the first round the best. */
function leastOf(planned: PlannedRun, texts: Texts, {rates}: FoundRates): Pick<CostEstimate, 'leastAcceleratorMs'> {
  const {earlyStopping, progress} = planned.run;
  if (!earlyStopping || !rates) return {};
  const {patience, evaluationIntervalSteps} = earlyStopping;
  const numRounds = 1 + patience;
  const totalSteps = Math.min(progress.totalSteps, numRounds * evaluationIntervalSteps);
  const plan = {...planOf(planned, texts), totalSteps, numRounds: numEvaluations(totalSteps, evaluationIntervalSteps)};
  const seconds = predictSeconds(planWork(plan), rates);
  return seconds === undefined ? {} : {leastAcceleratorMs: 1000 * seconds};
}

function costOf(work: Work, rates: Rates | undefined): RunCost {
  const {predictions, predictionFlops, trainingFlops} = work;
  const seconds = rates && predictSeconds(work, rates);
  const {each = 0, perFlop = 0} = rates?.prediction ?? {};
  const nothing = {ms: 0, flops: 0};
  return {
    acceleratorMs: seconds === undefined ? undefined : 1000 * seconds,
    flops: trainingFlops + predictionFlops,
    phases: {
      ...{loading: nothing, dynamics: nothing, checkpoint: nothing, training: {ms: 0, flops: trainingFlops}},
      evaluation: {ms: 1000 * (predictions * each + predictionFlops * perFlop), flops: predictionFlops},
    },
  };
}
