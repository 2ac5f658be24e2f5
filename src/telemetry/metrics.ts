// Every metric, declared once: name, help, labels. Base units; counters end in _total; no run or instance id is ever a label.
import {Counter, collectDefaultMetrics, Gauge, Histogram, Registry} from 'prom-client';

export interface BuildInfo {
  version: string;
  commit: string;
  tensorflow: string;
}

export interface RunCount {
  kind: string;
  state: string;
  count: number;
}

/** Reasons of Run.error, preset to 0 so that an alert sees the first failure. */
const failureReasons = [
  'WORKER_LOST',
  'OUT_OF_MEMORY',
  'DISK_FULL',
  'LOSS_NOT_FINITE',
  'DATASET_CORRUPT',
  'MODEL_INVALID',
  'EXECUTION_TIMEOUT',
  'CHECKPOINT_CORRUPT',
  'UNEXPECTED',
];
const streamReasons = ['completed', 'cancelled', 'slow_consumer', 'drain', 'error'];
/** prom-client's gauges that are named like counters, which promtool refuses. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

const runBuckets = [10, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 12 * 3600, 86_400, 3 * 86_400];
const epochBuckets = [0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600];
const callBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];

export type Metrics = ReturnType<typeof createMetrics>;

/** countRuns: runs by kind and state, read from the store at each scrape; the gauge has no series while the store is away. */
export function createMetrics(countRuns: () => Promise<RunCount[]>, build: BuildInfo) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({register: registry});
  for (const name of misnamed) registry.removeSingleMetric(name);
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({name, help, labelNames, registers});
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({name, help, labelNames, registers});
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
    new Histogram({name, help, labelNames, buckets, registers});

  const metrics = {
    registry,
    runs: new Gauge({
      name: 'ftft_runs',
      help: 'Runs in the store',
      labelNames: ['kind', 'state'],
      registers,
      async collect() {
        this.reset();
        for (const {kind, state, count} of await countRuns().catch(() => []))
          this.set({kind: kind.toLowerCase(), state: state.toLowerCase()}, count);
      },
    }),
    runDuration: histogram(
      'ftft_run_duration_seconds',
      'Time from the first start of a run to its end',
      ['kind', 'outcome'],
      runBuckets,
    ),
    runFailures: counter('ftft_run_failures_total', 'Runs that failed', ['kind', 'reason']),
    acceleratorSeconds: counter('ftft_training_accelerator_seconds_total', 'Accelerator time held by training', [
      'kind',
      'model',
      'selection',
      'device',
    ]),
    wastedAcceleratorSeconds: counter(
      'ftft_training_wasted_accelerator_seconds_total',
      'Accelerator time of attempts whose work was lost',
      ['kind'],
    ),
    steps: counter('ftft_training_steps_total', 'Optimizer updates', ['kind', 'model']),
    instances: counter('ftft_training_instances_total', 'Instances trained on', ['kind', 'model']),
    tokens: counter('ftft_training_tokens_total', 'Tokens trained on, padding included', ['kind', 'model']),
    flops: counter(
      'ftft_training_flops_total',
      'Floating-point operations of training and evaluation, estimated from the shapes of the model and its batches',
      ['kind', 'model'],
    ),
    energy: counter(
      'ftft_training_energy_joules_total',
      'Energy of the device while it trained, other work on it included; only where the device tells',
      ['kind', 'device'],
    ),
    runWarnings: counter('ftft_run_warnings_total', 'Marks of trainings that will not give what was hoped for', [
      'kind',
      'code',
    ]),
    trainingLoss: gauge('ftft_training_loss', 'Mean training loss of the latest steps of the latest run', [
      'kind',
      'model',
    ]),
    epochDuration: histogram(
      'ftft_epoch_duration_seconds',
      'Time of one epoch, by phase',
      ['kind', 'phase'],
      epochBuckets,
    ),
    evalAccuracy: gauge('ftft_eval_accuracy_ratio', 'Accuracy of the last finished run of its kind', [
      'kind',
      'model',
      'selection',
      'dataset',
      'split',
      'ood',
    ]),
    evalMacroF1: gauge('ftft_eval_macro_f1_ratio', 'Macro-averaged F1 of the last finished run of its kind', [
      'kind',
      'model',
      'selection',
      'dataset',
      'split',
      'ood',
    ]),
    evalLastSuccess: gauge('ftft_eval_last_success_timestamp_seconds', 'When a run of this kind last succeeded', [
      'kind',
    ]),
    dynamicsInstances: counter('ftft_dynamics_instances_total', 'p_true values recorded', []),
    streamSubscribers: gauge('ftft_stream_subscribers', 'Open StreamDynamics calls', []),
    streamClosed: counter('ftft_stream_closed_total', 'StreamDynamics calls that ended', ['reason']),
    connectionsRefused: counter('ftft_connections_refused_total', 'Connections closed because too many were open', []),
    leaseLost: counter('ftft_lease_lost_total', 'Leases lost by workers', []),
    callDuration: histogram(
      'rpc_server_call_duration_seconds',
      'Duration of RPCs, streams until their end',
      ['rpc_method', 'rpc_status_code'],
      callBuckets,
    ),
  };
  for (const kind of ['reference', 'main'])
    for (const reason of failureReasons) metrics.runFailures.inc({kind, reason}, 0);
  for (const reason of streamReasons) metrics.streamClosed.inc({reason}, 0);
  gauge('ftft_build_info', 'What is running; always 1', ['version', 'commit', 'node', 'tensorflow']).set(
    {...build, node: process.versions.node},
    1,
  );
  return metrics;
}
