// nice-grpc middleware: errors thrown by handlers → status with details in the trailer; bugs are logged with their stack.
import type {ServerMiddleware} from 'nice-grpc';
import type {Log} from '../telemetry/log.js';
import {type Caller, callerOf} from './access/caller.js';
import {detailsTrailer, toPlainError, toServerError, toStatus} from './error-status.js';

/** What handlers find in their context beside nice-grpc's own. */
export interface CallExtension {
  /** W3C traceparent of the RPC's span, or of the caller when no spans are made. */
  traceParent?: string;
  /** Who calls. */
  caller: Caller;
}

export function callErrors(log: Log): ServerMiddleware<CallExtension> {
  return async function* callErrorsMiddleware(call, context) {
    const traceParent = context.metadata.get('traceparent');
    try {
      return yield* call.next(call.request, {...context, traceParent, caller: callerOf(context.metadata)});
    } catch (error) {
      const plain = toPlainError(error);
      const traceId = traceParent?.split('-')[1];
      const rpc = call.method.path;
      if (plain.code === 'INTERNAL') log.error({err: error, rpc, traceId}, 'unexpected error');
      else if (plain.code !== 'CANCELLED') log.debug({rpc, code: plain.code, reason: plain.reason}, plain.message);
      const {error: serverError, details} = toServerError(toStatus(plain, traceId));
      context.trailer.set(detailsTrailer, details);
      throw serverError;
    }
  };
}
