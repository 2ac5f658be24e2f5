// A grpc-js interceptor round every call: closes streams whose reader stalls, gives every error its details, measures and traces.
import {
  status as Code,
  type Metadata as GrpcMetadata,
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type {PlainError} from '../errors.js';
import type {CallTelemetry, Telemetry} from '../telemetry/telemetry.js';
import {detailsTrailer, toStatus} from './error-status.js';
import {Status} from './gen/google/rpc/status.js';

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface['start']>[0];
type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

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

  constructor(
    call: ServerInterceptingCallInterface,
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
        if (traceParent) metadata.set('traceparent', traceParent);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: message => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => {
        clearTimeout(this.stallTimer);
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
    }, this.stallMs);
    super.sendMessage(message, () => {
      clearTimeout(this.stallTimer);
      callback();
    });
  }
}

const slowConsumer = (stallMs: number): PlainError => ({
  code: 'ABORTED',
  message: `Cannot go on streaming: nothing was read for ${stallMs / 1000} s; go on with the last resume_token`,
  reason: 'SLOW_CONSUMER',
  retryAfterMs: 1000,
});

function toCallStatus(error: PlainError): CallStatus {
  const status = toStatus(error);
  const metadata = new Metadata();
  metadata.set(detailsTrailer, Buffer.from(Status.encode(status).finish()));
  return {code: status.code, details: status.message, metadata};
}

/** What grpc-js said without details: a request that it could not take, or a fault. */
function withDetails(status: CallStatus): CallStatus {
  const {code = Code.OK, details = '', metadata} = status;
  if (code === Code.OK || (metadata?.get(detailsTrailer).length ?? 0) > 0) return status;
  const message = details || 'The call failed';
  if (code === Code.INTERNAL && details.startsWith('Error deserializing request'))
    return toCallStatus({
      code: 'INVALID_ARGUMENT',
      message: 'Cannot read the request: it is no valid protobuf message of its type',
      reason: 'INVALID_FIELD',
      violations: [],
    });
  if (code === Code.RESOURCE_EXHAUSTED)
    return toCallStatus({code: 'RESOURCE_EXHAUSTED', message, reason: 'MESSAGE_TOO_LARGE'});
  if (code === Code.UNIMPLEMENTED) return toCallStatus({code: 'UNIMPLEMENTED', message, reason: 'NOT_SUPPORTED'});
  if (code === Code.INTERNAL) return toCallStatus({code: 'INTERNAL', message, reason: 'UNEXPECTED'});
  return status;
}
