// Events of runs → counters, gauges and spans. It sees each event once, as it is appended to a run's log.
import {type Context, ROOT_CONTEXT, type Span, SpanStatusCode, trace} from '@opentelemetry/api';
import type {Selection} from '../pipeline/types.js';
import type {RunRecord, StoredEvent, TrainingCost} from '../runs/types.js';
import type {Metrics} from './metrics.js';
import {parseTraceParent, type Spans} from './spans.js';

export interface RunTelemetryOptions {
  metrics: Metrics;
  spans: Spans;
  device: 'cpu' | 'gpu';
}

const counted = ['acceleratorMs', 'wastedAcceleratorMs', 'trainedInstances', 'trainedTokens', 'flops'] as const;
type Counted = (typeof counted)[number];

/** What is known of a run that is not over. */
interface Watched {
  run: RunRecord;
  labels: {kind: string; model: string};
  selection: string;
  /** The most that was seen: an event that was appended late tells less than the steps since, and turns nothing back. */
  cost: TrainingCost;
  steps: number;
  lastTime: number;
  attempt?: {number: number; span: Span; context: Context};
  epoch?: {span: Span; startedAt: number};
}

export interface RunTelemetry {
  /** An event that was just appended, and the run as it is after it. */
  appended(run: RunRecord, stored: StoredEvent): void;
  /** An optimizer update; run: with its cost so far, never that of an earlier call. */
  stepped(step: {run: RunRecord; steps: number; loss: number}): void;
  /** Ends the spans of runs that go on elsewhere or later. */
  close(): void;
}

export function createRunTelemetry({metrics, spans, device}: RunTelemetryOptions): RunTelemetry {
  const watched = new Map<string, Watched>();

  function watch(run: RunRecord): Watched {
    const known = watched.get(run.id);
    if (known) return known;
    const fresh: Watched = {
      run,
      labels: {kind: run.kind.toLowerCase(), model: modelLabel(run)},
      selection: run.selection ? selectionLabel(run.selection) : 'all',
      // What an earlier process spent, it has counted.
      cost: run.cost,
      steps: run.progress.steps,
      lastTime: run.updateTime,
    };
    watched.set(run.id, fresh);
    return fresh;
  }

  function spend(known: Watched, cost: TrainingCost): void {
    const {labels, selection} = known;
    const grown = (key: Counted) => Math.max(0, cost[key] - known.cost[key]);
    metrics.acceleratorSeconds.inc({...labels, selection, device}, grown('acceleratorMs') / 1000);
    metrics.wastedAcceleratorSeconds.inc({kind: labels.kind}, grown('wastedAcceleratorMs') / 1000);
    metrics.instances.inc(labels, grown('trainedInstances'));
    metrics.tokens.inc(labels, grown('trainedTokens'));
    metrics.flops.inc(labels, grown('flops'));
    const joules = Math.max(0, (cost.energy?.joules ?? 0) - (known.cost.energy?.joules ?? 0));
    if (joules > 0) metrics.energy.inc({kind: labels.kind, device}, joules);
    const most = (key: Counted) => Math.max(cost[key], known.cost[key]);
    known.cost = {
      ...cost,
      ...(Object.fromEntries(counted.map(key => [key, most(key)])) as Pick<TrainingCost, Counted>),
      energy: joules > 0 ? cost.energy : known.cost.energy,
    };
  }

  function step(known: Watched, steps: number): void {
    metrics.steps.inc(known.labels, Math.max(0, steps - known.steps));
    known.steps = Math.max(known.steps, steps);
  }

  function progress(known: Watched, run: RunRecord): void {
    known.run = run;
    spend(known, run.cost);
    step(known, run.progress.steps);
  }

  function runChanged(known: Watched, run: RunRecord, attempt: number, time: number): void {
    progress(known, run);
    if (run.state === 'RUNNING' && known.attempt?.number !== attempt) startAttempt(known, attempt, time);
    if (run.state === 'PENDING') endAttempt(known, time, 'the worker stopped');
    if (run.state === 'SUSPENDED') endAttempt(known, time);
    if (run.endTime !== undefined) finished(known, run, time);
  }

  function startAttempt(known: Watched, attempt: number, time: number): void {
    endAttempt(known, time, 'the worker stopped');
    const {run, labels, selection} = known;
    const cause = parseTraceParent(run.traceParent);
    const span = spans.tracer.startSpan(
      'ftft.run',
      {
        root: true,
        startTime: time,
        links: cause ? [{context: cause}] : [],
        attributes: {
          'ftft.run': run.id,
          'ftft.attempt': attempt,
          'ftft.kind': labels.kind,
          'ftft.model': labels.model,
          'ftft.selection': selection,
        },
      },
      ROOT_CONTEXT,
    );
    known.attempt = {number: attempt, span, context: trace.setSpan(ROOT_CONTEXT, span)};
  }

  function endAttempt(known: Watched, time: number, error?: string): void {
    for (const span of [known.epoch?.span, known.attempt?.span]) {
      if (error) span?.setStatus({code: SpanStatusCode.ERROR, message: error});
      span?.end(time);
    }
    known.epoch = undefined;
    known.attempt = undefined;
  }

  function finished(known: Watched, run: RunRecord, time: number): void {
    const {labels, selection} = known;
    const {kind} = labels;
    const seconds = ((run.endTime ?? time) - (run.startTime ?? run.endTime ?? time)) / 1000;
    metrics.runDuration.observe({kind, outcome: run.state.toLowerCase()}, seconds);
    if (run.state === 'FAILED') metrics.runFailures.inc({kind, reason: run.error?.reason ?? 'UNEXPECTED'});
    if (run.state === 'SUCCEEDED') {
      metrics.evalLastSuccess.set({kind}, time / 1000);
      for (const {split, isOutOfDistribution, accuracy, macroF1} of run.evaluations) {
        const series = {...labels, selection, dataset: run.spec.dataset, split, ood: String(isOutOfDistribution)};
        metrics.evalAccuracy.set(series, accuracy);
        metrics.evalMacroF1.set(series, macroF1);
      }
    }
    endAttempt(known, time, run.state === 'FAILED' ? run.error?.message : undefined);
    watched.delete(run.id);
  }

  function observe(known: Watched, {event, attempt, time}: StoredEvent): void {
    const {kind} = known.labels;
    switch (event.kind) {
      case 'run-changed':
        runChanged(known, event.run, attempt, time);
        break;
      case 'epoch-started': {
        const attributes = {'ftft.epoch': event.epoch};
        known.epoch?.span.end(time);
        const span = spans.tracer.startSpan('ftft.epoch', {startTime: time, attributes}, known.attempt?.context);
        known.epoch = {span, startedAt: time};
        break;
      }
      case 'chunk':
        metrics.dynamicsInstances.inc(event.instanceCount);
        break;
      case 'epoch-committed':
        spend(known, event.cost);
        step(known, event.steps);
        if (known.epoch) metrics.epochDuration.observe({kind, phase: 'train'}, (time - known.epoch.startedAt) / 1000);
        known.epoch?.span.end(time);
        known.epoch = undefined;
        break;
      case 'evaluations-made': {
        spend(known, event.cost);
        metrics.epochDuration.observe({kind, phase: 'evaluate'}, (time - known.lastTime) / 1000);
        const attributes = {'ftft.splits': event.evaluations.map(({split}) => split)};
        const parent = known.attempt?.context;
        spans.tracer.startSpan('ftft.evaluate', {startTime: known.lastTime, attributes}, parent).end(time);
        break;
      }
      case 'run-warned':
        metrics.runWarnings.inc({kind, code: event.warning.code});
        break;
      case 'epochs-discarded':
        if (event.reason === 'WORKER_LOST') metrics.leaseLost.inc();
        break;
    }
    known.lastTime = time;
  }

  return {
    appended(run, stored) {
      // Trained elsewhere: nothing was spent here.
      if (run.kind === 'IMPORTED') return;
      const known = watch(run);
      observe(known, stored);
      if (watched.has(run.id)) progress(known, run);
      // A lost attempt takes steps back; those made again are made, and count.
      if (stored.event.kind === 'epochs-discarded') Object.assign(known, {cost: run.cost, steps: stored.event.steps});
      // It may go on in another process.
      const isOver = run.state === 'PENDING' || run.state === 'SUSPENDED';
      if (isOver && stored.event.kind === 'run-changed') watched.delete(run.id);
    },
    stepped({run, steps, loss}) {
      const known = watch(run);
      spend(known, run.cost);
      step(known, steps);
      metrics.trainingLoss.set(known.labels, run.progress.trainLoss ?? loss);
    },
    close() {
      for (const known of watched.values()) endAttempt(known, Date.now());
      watched.clear();
    },
  };
}

/** Carries the depth when cut, or a truncated reference and the ERM run of the same checkpoint fall on one series. */
const modelLabel = ({spec}: RunRecord): string => (spec.layers === 0 ? spec.model : `${spec.model}@${spec.layers}`);

/** A few words at most: a label's values must not grow with what callers ask for. */
function selectionLabel({criterion}: Selection): string {
  if ('region' in criterion) return criterion.region;
  if ('metric' in criterion) return criterion.metric;
  return 'anyOf' in criterion ? 'regions' : 'stratified' in criterion ? 'stratified' : 'clustered';
}
