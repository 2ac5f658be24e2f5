// Error → google.rpc.Status with details, for trailers and for Run.error; the one table of what each code carries.
import {Metadata, type ServerInterceptingCallInterface} from '@grpc/grpc-js';
import {Status as Code, ServerError} from 'nice-grpc';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RequestInfo,
  ResourceInfo,
  RetryInfo,
} from 'nice-grpc-error-details';
import {type FieldViolation, FtftError, type PlainError} from '../errors.js';
import type {Any} from './gen/google/protobuf/any.js';
import {Status} from './gen/google/rpc/status.js';

/** Domain of every ErrorInfo. */
const errorDomain = 'ftft.dev';
/** Trailer that carries the encoded google.rpc.Status. */
export const detailsTrailer = 'grpc-status-details-bin';
// Trailers must stay near 8 KiB, which many readers and proxies take at most; of more than 64 KiB a caller never hears.
const maxMessageLength = 1000;
const maxFieldLength = 200;
const maxViolationsLength = 4000;

/** Any error as a plain one. What is neither ours nor a cancellation is a bug: its message stays on the server. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof FtftError) return error.toPlain();
  if (isAbortError(error))
    return {code: 'CANCELLED', message: 'The caller cancelled the call', reason: 'CANCELLED_BY_CALLER'};
  return {code: 'INTERNAL', message: 'An unexpected error occurred on the server; it is logged', reason: 'UNEXPECTED'};
}

const isAbortError = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

/** The status with ErrorInfo and what else section 3 of the error table asks for. requestId: trace id of a bug's log line. */
export function toStatus(error: PlainError, requestId?: string): Status {
  const {code, reason} = error;
  const message = shortened(error.message, maxMessageLength);
  const fieldViolations = error.violations && fitting(error.violations);
  const numLeftOut = (error.violations?.length ?? 0) - (fieldViolations?.length ?? 0);
  const metadata = numLeftOut === 0 ? error.metadata : {...error.metadata, violations_left_out: String(numLeftOut)};
  const details: Any[] = [pack(ErrorInfo, {reason, domain: errorDomain, metadata: metadata ?? {}})];
  if (fieldViolations) details.push(pack(BadRequest, {fieldViolations}));
  if (error.resource) {
    const {type, name} = error.resource;
    const resourceName = shortened(name, maxFieldLength);
    details.push(pack(ResourceInfo, {resourceType: `ftft.dev/${type}`, resourceName, description: message}));
  }
  const subject = shortened(error.resource?.name ?? '', maxFieldLength);
  if (code === 'FAILED_PRECONDITION')
    details.push(pack(PreconditionFailure, {violations: [{type: reason, subject, description: message}]}));
  if (code === 'RESOURCE_EXHAUSTED')
    details.push(pack(QuotaFailure, {violations: [{subject: subject || reason, description: message}]}));
  if (error.retryAfterMs !== undefined) details.push(pack(RetryInfo, {retryDelay: toDuration(error.retryAfterMs)}));
  if (code === 'INTERNAL' && requestId) details.push(pack(RequestInfo, {requestId}));
  return {code: Code[code], message, details};
}

/** What grpc-js sends. */
export type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** For errors that are sent from outside a handler. */
export function toCallStatus(error: PlainError): CallStatus {
  const status = toStatus(error);
  const metadata = new Metadata();
  metadata.set(detailsTrailer, Buffer.from(Status.encode(status).finish()));
  return {code: status.code, details: status.message, metadata};
}

/** What nice-grpc sends; the details go into the trailer beside it. */
export function toServerError(status: Status): {error: ServerError; details: Uint8Array} {
  return {error: new ServerError(status.code, status.message), details: Status.encode(status).finish()};
}

/** Where the server keeps a file is the operator's business. */
const foldersOfPath = /(?<=^|[\s"'(])\/(?:[^\s/"']+\/)+(?=[^\s/"'])/g;

/** Half of a surrogate pair, which a cut may leave, cannot be sent: grpc-js throws at it. */
function shortened(text: string, length: number): string {
  const told = text.replace(foldersOfPath, '');
  return (told.length > length ? `${told.slice(0, length)}…` : told).replace(/\p{Surrogate}/gu, '\ufffd');
}

/** The first violations, as many as there is room for. */
function fitting(violations: FieldViolation[]): FieldViolation[] {
  const found: FieldViolation[] = [];
  let length = 0;
  for (const violation of violations) {
    const field = shortened(violation.field, maxFieldLength);
    const description = shortened(violation.description, maxMessageLength);
    length += field.length + description.length;
    if (length > maxViolationsLength) break;
    found.push({field, description});
  }
  return found;
}

const toDuration = (milliseconds: number) => ({
  seconds: Math.floor(milliseconds / 1000),
  nanos: Math.round((milliseconds % 1000) * 1e6),
});

interface DetailType<T, P> {
  $type: string;
  fromPartial(value: P): T;
  encode(value: T): {finish(): Uint8Array};
}

function pack<T, P>(type: DetailType<T, P>, value: P): Any {
  return {
    typeUrl: `type.googleapis.com/${type.$type}`,
    value: Buffer.from(type.encode(type.fromPartial(value)).finish()),
  };
}
