// Options that train-reference and fine-tune-main share → TrainingSpec, and what both do once the run is accepted.
import type {Command} from 'commander';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {Precision, Run, ScheduleSpan, type TrainingSpec} from '../server/gen/ftft/v1/run.js';
import {costLines, estimateLines, methodLines} from './cost-words.js';
import {evaluationLine, warningLine} from './epoch-summary.js';
import {waitForRun} from './follow-run.js';
import {clock, count, seconds, stateWord} from './format.js';
import type {Io} from './io.js';
import {createProgress} from './progress.js';
import {RunEndedError} from './report-error.js';
import {type ClientOptions, chatter, choice, integer, keyValue, list, number, positive, print} from './verb.js';

export interface TrainingOptions extends ClientOptions {
  model: string;
  layers?: number;
  maxLength?: number;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  warmupRatio?: number;
  weightDecay?: number;
  precision?: Precision;
  seed?: number;
  evaluate?: string[];
  test?: string[];
  evaluationInterval?: number;
  executionTimeout?: number;
  maxAttempts?: number;
  priority?: number;
  discardLogits?: boolean;
  runId?: string;
  requestId?: string;
  scheduleSpan?: ScheduleSpan;
  label?: Record<string, string>;
  validateOnly?: boolean;
  wait?: boolean;
  follow?: boolean;
}

const precisions = {float32: Precision.PRECISION_FLOAT32, bfloat16: Precision.PRECISION_BFLOAT16};
const scheduleSpans = {
  'step-budget': ScheduleSpan.SCHEDULE_SPAN_STEP_BUDGET,
  'erm-length': ScheduleSpan.SCHEDULE_SPAN_ERM_LENGTH,
};
const uint32 = 2 ** 32 - 1;

export function addTrainingOptions(command: Command): Command {
  return command
    .option('--model <model>', 'preset, hub id (owner/name[@revision]) or local:FOLDER', 'minilm-l6')
    .option('--layers <n>', 'use only the first layers of the checkpoint; 0 for all', integer(0))
    .option('--max-length <tokens>', 'longest input, special tokens included (server default 300)', integer(1))
    .option('--epochs <n>', 'epochs over the train split (server default 4)', integer(1))
    .option('--batch-size <n>', 'instances a step (server default 32)', integer(1))
    .option('--learning-rate <rate>', 'peak learning rate (server default 2e-5)', positive(1))
    .option('--warmup-ratio <share>', 'share of the steps that warm up (server default 0.1)', number)
    .option('--weight-decay <decay>', 'decoupled weight decay (server default 0)', number)
    .option(
      '--precision <type>',
      'float32 or bfloat16, of matrix products (server default float32)',
      choice(precisions),
    )
    .option('--seed <n>', 'seed of head, order and dropout (server default 0)', integer(0, uint32))
    .option('--evaluate <splits>', 'splits to evaluate, a,b,c; all but the train split when left out', list)
    .option('--test <splits>', 'splits to evaluate once, with the weights that the run keeps, a,b,c', list)
    .option('--evaluation-interval <steps>', 'steps between two evaluations; an epoch when left out', integer(1))
    .option('--execution-timeout <seconds>', 'longest execution, all attempts together', integer(1))
    .option('--max-attempts <n>', 'tries when workers die (server default 3)', integer(1))
    .option('--priority <n>', 'higher goes first', integer(-(2 ** 31), 2 ** 31 - 1))
    .option('--discard-logits', 'keep p_true alone of the dynamics: a smaller log, without the scores that need logits')
    .option(
      '--schedule-span <span>',
      'step-budget or erm-length: over which steps the rate rises and falls (server default step-budget)',
      choice(scheduleSpans),
    )
    .option('--run-id <id>', "last part of the run's name; made by the server when left out")
    .option('--request-id <uuid>', 'the same id twice makes one run')
    .option('--label <key=value>', 'label of the run; may be given more than once', keyValue)
    .option('--validate-only', 'check the request and say what it is expected to cost; start nothing')
    .option('--wait', 'show the progress until the run ends')
    .option('--follow', 'the same as --wait');
}

export function toSpec(dataset: string, trainSplit: string, options: TrainingOptions): DeepPartial<TrainingSpec> {
  return {
    dataset,
    trainSplit,
    evaluationSplits: options.evaluate,
    testSplits: options.test,
    model: options.model,
    layers: options.layers,
    maxLength: options.maxLength,
    epochs: options.epochs,
    batchSize: options.batchSize,
    learningRate: options.learningRate,
    warmupRatio: options.warmupRatio,
    weightDecay: options.weightDecay,
    precision: options.precision,
    seed: options.seed,
    evaluationIntervalSteps: options.evaluationInterval,
    executionTimeout: options.executionTimeout === undefined ? undefined : {seconds: options.executionTimeout},
    maxAttempts: options.maxAttempts,
    priority: options.priority,
    discardLogits: options.discardLogits,
    scheduleSpan: options.scheduleSpan,
  };
}

export function toCreation(options: TrainingOptions) {
  const {runId, requestId, label: labels, validateOnly} = options;
  return {runId, requestId, labels, validateOnly};
}

/** Prints the accepted run, or with --wait its progress and what came of it. */
export async function reportRun(client: FtftServiceClient, run: Run, io: Io, options: TrainingOptions): Promise<void> {
  if (options.validateOnly || !(options.wait || options.follow)) {
    const expected = run.costEstimate ? estimateLines(run.costEstimate) : [];
    const words = options.validateOnly
      ? ['The request is valid; nothing was started', ...expected].join('\n')
      : `${run.name} ${stateWord(run.state)}`;
    print(io, options, Run.toJSON(run), () => words);
    return;
  }
  const output = chatter(io, options);
  output.write(`${run.name} ${stateWord(run.state)}\n`);
  const progress = createProgress(output, 'training');
  let ended: Run;
  try {
    ended = await waitForRun(client, run, seen => progress.update(seen), io.signal);
  } catch (error) {
    if (io.signal.aborted) io.stderr.write(`\n${run.name} goes on; stop it with: ftft runs cancel ${run.name}\n`);
    // For machines: the ended run is the answer, however it ended.
    if (error instanceof RunEndedError && options.json) print(io, options, Run.toJSON(error.run), () => '');
    throw error;
  } finally {
    progress.stop();
  }
  print(io, options, Run.toJSON(ended), () => describeRun(ended));
}

export function describeRun(run: Run): string {
  const lines = [`${run.name} ${stateWord(run.state)}, ${clock(seconds(run.cost?.acceleratorTime))} of training`];
  const {steps = 0, keptSteps = 0, stoppedEarly} = run.progress ?? {};
  if (stoppedEarly) lines.push(`stopped after step ${count(steps)}, with the weights of step ${count(keptSteps)}`);
  lines.push(...run.evaluations.map(evaluationLine), ...run.warnings.map(warningLine));
  if (run.cost) lines.push(...costLines(run.cost));
  if (run.methodCost) lines.push(...methodLines(run.methodCost));
  if (run.modelUri) lines.push(`model   ${run.modelUri}`);
  return lines.join('\n');
}
