// OpenTelemetry spans, exported by OTLP/HTTP when an endpoint is set; else everything here does nothing.
import {
  type Attributes,
  type Context,
  context as contextApi,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {OTLPTraceExporter} from '@opentelemetry/exporter-trace-otlp-http';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {BasicTracerProvider, BatchSpanProcessor} from '@opentelemetry/sdk-trace-base';

export interface Spans {
  tracer: Tracer;
  /** A server span; traceParent is the caller's. */
  startCall(method: string, traceParent: string | undefined): Span;
  /** A span round the work; its errors are recorded on it. */
  during<T>(name: string, traceParent: string | undefined, attributes: Attributes, work: () => Promise<T>): Promise<T>;
  /** Sends what is left. */
  shutdown(): Promise<void>;
}

/** endpoint: base URL of an OTLP/HTTP collector, such as http://localhost:4318. */
export function createSpans(endpoint: string | undefined, version: string): Spans {
  const provider = endpoint === undefined ? undefined : createProvider(endpoint, version);
  const tracer = provider?.getTracer('ftft', version) ?? trace.getTracer('ftft', version);
  return {
    tracer,
    startCall(method, traceParent) {
      const attributes = {'rpc.system.name': 'grpc', 'rpc.method': method.slice(1)};
      return tracer.startSpan(method.slice(1), {kind: SpanKind.SERVER, attributes}, parentContext(traceParent));
    },
    async during(name, traceParent, attributes, work) {
      const span = tracer.startSpan(name, {attributes}, parentContext(traceParent));
      try {
        return await contextApi.with(trace.setSpan(ROOT_CONTEXT, span), work);
      } catch (error) {
        span.setStatus({code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error)});
        throw error;
      } finally {
        span.end();
      }
    },
    shutdown: async () => provider?.shutdown(),
  };
}

function createProvider(endpoint: string, version: string): BasicTracerProvider {
  const url = endpoint.endsWith('/v1/traces') ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/traces`;
  return new BasicTracerProvider({
    resource: resourceFromAttributes({'service.name': 'ftft', 'service.version': version}),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({url}), {scheduledDelayMillis: 1000})],
  });
}

/** W3C trace context, version 00: 00-<trace id>-<span id>-<flags>; undefined when malformed. */
export function parseTraceParent(traceParent: string | undefined): SpanContext | undefined {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceParent ?? '');
  if (!match || /^0+$/.test(match[1]) || /^0+$/.test(match[2])) return undefined;
  return {
    traceId: match[1],
    spanId: match[2],
    traceFlags: Number.parseInt(match[3], 16) & TraceFlags.SAMPLED,
    isRemote: true,
  };
}

/** undefined for the spans of a tracer that records nothing. */
export function toTraceParent(span: Span): string | undefined {
  const {traceId, spanId, traceFlags} = span.spanContext();
  return /^0+$/.test(traceId) ? undefined : `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

export function parentContext(traceParent: string | undefined): Context {
  const parent = parseTraceParent(traceParent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}
