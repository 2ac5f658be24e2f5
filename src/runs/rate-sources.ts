// A specification in; how fast this server's device is with its model, from an earlier run or from steps made now, and how that is known, out.
import {FtftError} from '../errors.js';
import type {Rates} from '../pipeline/predict-cost.js';
import type {CheckedModel} from './accept-run.js';
import type {Datasets} from './datasets.js';
import {latestRuns} from './erm-run.js';
import type {Store} from './store.js';
import {TrainerChild} from './trainer-child.js';
import type {FromTrainer, MeasureJob} from './trainer-protocol.js';
import type {TrainingSpec} from './types.js';

export interface FoundRates {
  /** Undefined where none are known. */
  rates?: Rates;
  source?: 'EARLIER_RUN' | 'MEASUREMENT';
  /** The earlier run. */
  run?: string;
  note: string;
}

export interface RateContext {
  store: Store;
  datasets: Datasets;
  tokensFolder: string;
  trainerEntry: string;
  /** This process's own when undefined. */
  trainerEnv?: NodeJS.ProcessEnv;
  /** Runs the work while nothing else is on the device; undefined, and nothing is done, where a run holds it. */
  borrowDevice<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined>;
}

interface Subject {
  model: CheckedModel;
  instances: Int32Array | undefined;
}

/** Specifications whose rates are kept. */
const maxMeasured = 100;

export class RateSources {
  /** What this process has measured, and measures. */
  private readonly measured = new Map<string, Promise<FoundRates>>();

  constructor(private readonly context: RateContext) {}

  /** On the same texts first, then from steps made now, then of the same model on other texts. */
  async find(spec: TrainingSpec, subject: Subject): Promise<FoundRates> {
    const earlier = await this.earlier(spec);
    if (earlier?.isSameTexts) return earlier.found;
    const measured = await this.measureOnce(spec, subject);
    return measured.rates ? measured : (earlier?.found ?? measured);
  }

  private async earlier(spec: TrainingSpec): Promise<{found: FoundRates; isSameTexts: boolean} | undefined> {
    let other: FoundRates | undefined;
    for await (const run of latestRuns(this.context.store.runs)) {
      if (run.state !== 'SUCCEEDED' || !isSameModel(run.spec, spec)) continue;
      const rates = (await this.context.store.runs.get(run.id))?.work.rates;
      if (!rates || (evaluatedSplits(spec).length > 0 && !rates.prediction)) continue;
      const isSameTexts = areSameTexts(run.spec, spec);
      const texts = isSameTexts ? 'the same texts' : 'other texts';
      const note = `Rates of runs/${run.id}: the same model, depth, precision and batch size on ${texts}`;
      const found = {rates, source: 'EARLIER_RUN', run: run.id, note} as const;
      if (isSameTexts) return {found, isSameTexts};
      other ??= found;
    }
    return other && {found: other, isSameTexts: false};
  }

  private async measureOnce(spec: TrainingSpec, subject: Subject): Promise<FoundRates> {
    const {model, layers, precision, batchSize, dataset, trainSplit, maxLength} = spec;
    const evaluated = evaluatedSplits(spec);
    const key = JSON.stringify([model, layers, precision, batchSize, dataset, trainSplit, maxLength, evaluated]);
    const known = this.measured.get(key) ?? this.measure(spec, subject);
    this.measured.set(key, known);
    const [oldest] = this.measured.keys();
    if (this.measured.size > maxMeasured) this.measured.delete(oldest);
    const found = await known.catch(error => ({note: failedNote(error)}));
    // What could not be measured now may be later.
    if (!('rates' in found) || !found.rates) this.measured.delete(key);
    return found;
  }

  private async measure(spec: TrainingSpec, {model, instances}: Subject): Promise<FoundRates> {
    const {datasets, tokensFolder, trainerEntry, trainerEnv, borrowDevice} = this.context;
    const job: MeasureJob = {
      ...{spec, tokensFolder, modelFolder: model.folder, instances},
      classNames: (await datasets.get(spec.dataset)).classNames,
      train: await datasets.source(spec.dataset, spec.trainSplit),
      evaluationSets: await datasets.sources(spec.dataset, spec.evaluationSplits),
      testSets: await datasets.sources(spec.dataset, spec.testSplits ?? []),
    };
    const rates = await borrowDevice(signal => measureInChild({trainerEntry, trainerEnv}, job, signal));
    if (!rates)
      return {note: 'No rate is known: the device is busy, and no run of this model came before; ask again later'};
    return {
      rates,
      source: 'MEASUREMENT',
      note: 'Rates of some steps and predictions made on these texts for this estimate',
    };
  }
}

function failedNote(error: unknown): string {
  return `No rate is known: some steps were tried, and failed: ${error instanceof FtftError ? error.message : String(error)}`;
}

async function measureInChild(
  {trainerEntry, trainerEnv}: Pick<RateContext, 'trainerEntry' | 'trainerEnv'>,
  job: MeasureJob,
  signal: AbortSignal,
): Promise<Rates> {
  let rates: Rates | undefined;
  let failure: Error | undefined;
  const hear = (message: FromTrainer) => {
    if (message.kind === 'measured') rates = message.rates;
    if (message.kind === 'failed') failure = FtftError.fromPlain(message.error);
    if (message.kind === 'broken') failure = new Error(message.stack);
  };
  const child = new TrainerChild(trainerEntry, {kind: 'measure', job}, hear, trainerEnv);
  const kill = () => child.kill();
  signal.addEventListener('abort', kill);
  if (signal.aborted) kill();
  const how = await child.ended;
  signal.removeEventListener('abort', kill);
  if (rates) return rates;
  throw failure ?? new Error(`the process that measures is gone: ${how}`);
}

const evaluatedSplits = ({evaluationSplits, testSplits = []}: TrainingSpec): string[] => [
  ...evaluationSplits,
  ...testSplits,
];

const isSameModel = (one: TrainingSpec, other: TrainingSpec): boolean =>
  one.model === other.model &&
  one.layers === other.layers &&
  one.precision === other.precision &&
  one.batchSize === other.batchSize;

const areSameTexts = (one: TrainingSpec, other: TrainingSpec): boolean =>
  one.dataset === other.dataset && one.trainSplit === other.trainSplit && one.maxLength === other.maxLength;
