// A grpc-js interceptor round every call: closes streams whose reader stalls, gives every error its details, measures and traces.
import {constants, type ServerHttp2Stream} from 'node:http2';
import {
  status as Code,
  type Metadata as GrpcMetadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type {PlainError} from '../errors.js';
import type {CallTelemetry, Telemetry} from '../telemetry/telemetry.js';
import {type CallStatus, detailsTrailer, toCallStatus} from './error-status.js';

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** How long a slow reader can still take its status. */
const resetAfter = (stallMs: number): number => Math.min(10_000, 10 * stallMs);

export function callObserver(telemetry: Telemetry, stallMs: number): ServerInterceptor {
  return (method, call) => {
    const observed = telemetry.callStarted(method.path);
    // grpc-js itself answers what it cannot read, too: here is the one place that every status passes.
    const send = call.sendStatus.bind(call);
    call.sendStatus = status => {
      const detailed = withDetails(status);
      observed.ended(Code[detailed.code ?? Code.OK]);
      send(detailed);
    };
    return new ObservedCall(call, observed, stallMs);
  };
}

class ObservedCall extends ServerInterceptingCall {
  private listener: InterceptingServerListener | undefined;
  private stallTimer: NodeJS.Timeout | undefined;
  private resetTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: ServerInterceptingCallInterface,
    private readonly observed: CallTelemetry,
    private readonly stallMs: number,
  ) {
    super(call);
  }

  override start(listener: InterceptingServerListener): void {
    this.listener = listener;
    super.start({
      onReceiveMetadata: (metadata: GrpcMetadata) => {
        // Handlers see the span of this call as their parent, whether or not the caller sent one.
        const traceParent = this.observed.trace(String(metadata.get('traceparent')[0] ?? '') || undefined);
        metadata.remove('traceparent');
        if (traceParent) metadata.set('traceparent', traceParent);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: message => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => {
        clearTimeout(this.stallTimer);
        clearTimeout(this.resetTimer);
        this.observed.ended('CANCELLED');
        listener.onCancel();
      },
    });
  }

  /** The callback asks for the next message: until then at most 16 wait in grpc-js, since nice-grpc awaits drain. */
  override sendMessage(message: unknown, callback: () => void): void {
    this.stallTimer = setTimeout(() => {
      // Travels once the reader takes what is under way; it then goes on with its last token.
      super.sendStatus(toCallStatus(slowConsumer(this.stallMs)));
      // Ends the handler and drops what waits, as if the reader had gone.
      this.listener?.onCancel();
      this.resetTimer = setTimeout(() => resetStream(this.call), resetAfter(this.stallMs)).unref();
    }, this.stallMs);
    super.sendMessage(message, () => {
      clearTimeout(this.stallTimer);
      callback();
    });
  }
}

/** A reader that takes no status either must not hold what waits for it. grpc-js gives no hand on the HTTP/2 stream but this.
 * Refused is what clients know as UNAVAILABLE, and so as a reason to come back. */
function resetStream(call: ServerInterceptingCallInterface): void {
  const {stream} = call as {stream?: Partial<ServerHttp2Stream>};
  stream?.close?.(constants.NGHTTP2_REFUSED_STREAM);
}

const slowConsumer = (stallMs: number): PlainError => ({
  code: 'ABORTED',
  message: `Cannot go on streaming: nothing was read for ${stallMs / 1000} s; go on with the last resume_token`,
  reason: 'SLOW_CONSUMER',
  retryAfterMs: 1000,
});

/** What grpc-js says of requests that it cannot read; all of it is the caller's fault. */
const unreadable: [RegExp, string][] = [
  [/^Error deserializing request/, 'it is no valid protobuf message of its type'],
  [/^Failed to decompress message/, 'it cannot be decompressed'],
  [/^Invalid grpc-timeout value/, 'its header grpc-timeout must be a number of at most 8 digits and a unit'],
];

/** What grpc-js said without details: a request that it could not take, or a fault. */
function withDetails(status: CallStatus): CallStatus {
  const {code = Code.OK, details = '', metadata} = status;
  if (code === Code.OK || (metadata?.get(detailsTrailer).length ?? 0) > 0) return status;
  const message = details || 'The call failed';
  const [, found] = (code === Code.INTERNAL && unreadable.find(([pattern]) => pattern.test(details))) || [];
  if (found)
    return toCallStatus({
      code: 'INVALID_ARGUMENT',
      message: `Cannot read the request: ${found}`,
      reason: 'INVALID_FIELD',
      violations: [],
    });
  if (code === Code.RESOURCE_EXHAUSTED)
    return toCallStatus({code: 'RESOURCE_EXHAUSTED', message, reason: 'MESSAGE_TOO_LARGE'});
  if (code === Code.UNIMPLEMENTED) return toCallStatus({code: 'UNIMPLEMENTED', message, reason: 'NOT_SUPPORTED'});
  if (code === Code.INTERNAL || code === Code.UNKNOWN)
    return toCallStatus({code: 'INTERNAL', message, reason: 'UNEXPECTED'});
  return status;
}
