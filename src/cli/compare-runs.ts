// What is to be compared → its runs, seed by seed; those that are there already are not made again.
import {createHash} from 'node:crypto';
import {ClientError, Status} from 'nice-grpc';
import {FtftError} from '../errors.js';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {
  type EarlyStopping,
  Method,
  type Precision,
  type Run,
  Run_State,
  type TrainingSpec,
} from '../server/gen/ftft/v1/run.js';
import type {ComparedData} from './compare-data.js';
import {waitForRun} from './follow-run.js';
import type {Output} from './io.js';
import {createProgress} from './progress.js';

export interface CompareOptions {
  data: ComparedData;
  seeds: number;
  prefix: string;
  model: string;
  reference: {model: string; layers: number};
  epochs: number;
  batchSize: number;
  learningRate: number;
  precision: Precision;
  /** Share of the instances, and of the ERM length. */
  fraction: number;
  stepFraction: number;
  /** Evaluations in the ERM length, under early stopping. */
  rounds: number;
  patience: number;
}

/** The five arms, in the order of the table. */
export const arms = {
  erm: {title: 'ERM', method: Method.METHOD_ERM},
  'data-map': {title: 'data map', method: Method.METHOD_DATA_MAP},
  ftft: {title: 'FTFT', method: Method.METHOD_FTFT},
  random: {title: 'random', method: Method.METHOD_RANDOM},
  'hard-to-learn': {title: 'hard', method: Method.METHOD_HARD_TO_LEARN},
} as const;
export type ArmName = keyof typeof arms;

export interface ArmResult {
  arm: ArmName;
  seed: number;
  isStoppedEarly: boolean;
  /** That made the model. */
  run: Run;
}

/** Yields what has succeeded; throws the RunEndedError of a run that ended otherwise. */
export async function* compareArms(
  client: FtftServiceClient,
  options: CompareOptions,
  output: Output,
  signal: AbortSignal,
): AsyncGenerator<ArmResult> {
  for (let seed = 0; seed < options.seeds; seed++) {
    const runs = new SeedRuns(client, options, seed, output, signal);
    const erm = await runs.reference('erm', {model: options.model, layers: 0});
    yield {arm: 'erm', seed, isStoppedEarly: false, run: erm};
    const small = await runs.map('map', await runs.reference('reference', options.reference));
    const own = await runs.map('own-map', erm);
    for (const isStoppedEarly of [false, true])
      for (const arm of Object.keys(arms) as ArmName[]) {
        if (arm === 'erm' && !isStoppedEarly) continue;
        const dataMap = arm === 'erm' ? '' : arm === 'data-map' ? own : small;
        const stopping = isStoppedEarly ? earlyStopping(options, erm) : undefined;
        yield {arm, seed, isStoppedEarly, run: await runs.main(arm, dataMap, stopping)};
      }
  }
}

/** On the mean over the development sets out of distribution, as the paper has it. */
function earlyStopping({rounds, patience}: CompareOptions, erm: Run): DeepPartial<EarlyStopping> {
  return {patience, evaluationIntervalSteps: Math.max(1, Math.round((erm.progress?.totalSteps ?? 1) / rounds))};
}

class SeedRuns {
  private readonly call: {signal: AbortSignal};

  constructor(
    private readonly client: FtftServiceClient,
    private readonly options: CompareOptions,
    private readonly seed: number,
    private readonly output: Output,
    private readonly signal: AbortSignal,
  ) {
    this.call = {signal};
  }

  /** ERM of the main model too: the same RPC. */
  async reference(name: string, {model, layers}: CompareOptions['reference']): Promise<Run> {
    const spec = {...this.spec(model), layers};
    return await this.run(name, spec, creation => this.client.trainReference({...creation, spec}, this.call));
  }

  /** Name of the map of its ambiguous instances. */
  async map(name: string, {name: run}: Run): Promise<string> {
    const {fraction} = this.options;
    const {dataMap} = await this.client.buildDataMap({dataMapId: this.id(name), run, selection: {fraction}}, this.call);
    return dataMap!.name;
  }

  async main(arm: ArmName, dataMap: string, earlyStopping: DeepPartial<EarlyStopping> | undefined): Promise<Run> {
    const request = {
      ...{dataMap, spec: this.spec(this.options.model), method: arms[arm].method, earlyStopping},
      stepBudget: {$case: 'stepFraction' as const, value: earlyStopping ? 1 : this.options.stepFraction},
    };
    const name = earlyStopping ? `${arm}-stopped` : arm;
    return await this.run(name, request, creation => this.client.fineTuneMain({...creation, ...request}, this.call));
  }

  private spec(model: string): DeepPartial<TrainingSpec> {
    const {data, epochs, batchSize, learningRate, precision} = this.options;
    return {
      ...{dataset: data.dataset, evaluationSplits: data.devSplits, testSplits: data.testSplits.map(({split}) => split)},
      ...{model, epochs, batchSize, learningRate, precision, seed: this.seed},
      // Longer than any run: only early stopping evaluates on the way.
      evaluationIntervalSteps: 2 ** 31 - 1,
    };
  }

  private readonly id = (name: string) => `${this.options.prefix}-s${this.seed}-${name}`;

  /** The run of that name, made now or earlier, once it has succeeded. One that failed earlier is made again under another name. */
  private async run(
    name: string,
    request: unknown,
    make: (creation: {runId: string; labels: Record<string, string>}) => Promise<{run: Run | undefined}>,
  ): Promise<Run> {
    const settings = createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16);
    for (let tries = 1; ; tries++) {
      const runId = tries === 1 ? this.id(name) : `${this.id(name)}-${tries}`;
      const found = await this.find(runId);
      if (found && isVoid(found)) continue;
      if (found && found.labels.settings !== settings) throw otherSettings(found, this.options.prefix);
      const {run = found} = found ? {} : await make({runId, labels: {settings}});
      return await this.wait(run!, `${this.seed} ${name}`);
    }
  }

  private async find(runId: string): Promise<Run | undefined> {
    return await this.client.getRun({name: `runs/${runId}`}, this.call).catch(error => {
      if (error instanceof ClientError && error.code === Status.NOT_FOUND) return undefined;
      throw error;
    });
  }

  private async wait(run: Run, label: string): Promise<Run> {
    const progress = createProgress(this.output, label);
    try {
      return await waitForRun(this.client, run, seen => progress.update(seen), this.signal);
    } finally {
      progress.stop();
    }
  }
}

const isVoid = ({state}: Run): boolean => state === Run_State.STATE_FAILED || state === Run_State.STATE_CANCELLED;

const otherSettings = ({name}: Run, prefix: string): FtftError =>
  new FtftError(
    'FAILED_PRECONDITION',
    `Cannot go on with the comparison ${prefix}: ${name} must be of the same settings, it was made with others; repeat them, or give another --prefix`,
    {reason: 'RUN_EXISTS', resource: {type: 'Run', name}},
  );
