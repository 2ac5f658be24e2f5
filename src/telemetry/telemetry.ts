// The one object that the rest of the program measures, traces and logs with.
import type {Span} from '@opentelemetry/api';
import {SpanStatusCode} from '@opentelemetry/api';
import type {Log} from './log.js';
import {type BuildInfo, createMetrics, type Metrics, type RunCount} from './metrics.js';
import {createSpans, parseTraceParent, type Spans, toTraceParent} from './spans.js';

export interface Telemetry {
  log: Log;
  metrics: Metrics;
  spans: Spans;
  /** path: /package.Service/Method. */
  callStarted(path: string): CallTelemetry;
}

/** One RPC. */
export interface CallTelemetry {
  /** Starts the call's span; gives the traceparent for what the call makes. */
  trace(traceParent: string | undefined): string | undefined;
  /** code: canonical name, such as OK. Only the first one counts. */
  ended(code: string): void;
}

export interface TelemetryOptions {
  log: Log;
  countRuns: () => Promise<RunCount[]>;
  build: BuildInfo;
  otlpEndpoint: string | undefined;
}

const streamPath = '/ftft.v1.FtftService/StreamDynamics';

export function createTelemetry({log, countRuns, build, otlpEndpoint}: TelemetryOptions): Telemetry {
  const metrics = createMetrics(countRuns, build);
  const spans = createSpans(otlpEndpoint, build.version);
  return {log, metrics, spans, callStarted: path => callTelemetry(metrics, spans, path)};
}

function callTelemetry(metrics: Metrics, spans: Spans, path: string): CallTelemetry {
  const startedAt = performance.now();
  const isStream = path === streamPath;
  let span: Span | undefined;
  let isEnded = false;
  if (isStream) metrics.streamSubscribers.inc();
  return {
    trace(traceParent) {
      span = spans.startCall(path, traceParent);
      return toTraceParent(span) ?? (parseTraceParent(traceParent) ? traceParent : undefined);
    },
    ended(code) {
      if (isEnded) return;
      isEnded = true;
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.callDuration.observe({rpc_method: path.slice(1), rpc_status_code: code}, seconds);
      if (isStream) {
        metrics.streamSubscribers.dec();
        metrics.streamClosed.inc({reason: closedReason(code)});
      }
      span?.setAttribute('rpc.response.status_code', code);
      if (code !== 'OK') span?.setStatus({code: SpanStatusCode.ERROR, message: code});
      span?.end();
    },
  };
}

/** StreamDynamics ends with each of these codes for one reason only. */
function closedReason(code: string): string {
  const reasons: Record<string, string> = {
    OK: 'completed',
    CANCELLED: 'cancelled',
    DEADLINE_EXCEEDED: 'cancelled',
    ABORTED: 'slow_consumer',
    UNAVAILABLE: 'drain',
  };
  return reasons[code] ?? 'error';
}
