// Whatever was thrown → a few clear lines and an exit code; never a stack.
import {ClientError, Status} from 'nice-grpc';
import {BadRequest, ErrorInfo, RichClientError} from 'nice-grpc-error-details';
import {type ErrorCode, FtftError} from '../errors.js';
import {type Run, Run_State} from '../server/gen/ftft/v1/run.js';

export const exitCodesHelp = `
Exit codes:
  0    done
  1    the run failed or was cancelled, or the server erred
  2    wrong usage, or the server found the request wrong (INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED)
  3    not there, there already, or not in the state for it (NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED)
  4    try again later: the server cannot be reached, drains or is full (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED)
  5    the server does not know who calls, or does not let them (UNAUTHENTICATED, PERMISSION_DENIED)
  130  stopped by Ctrl-C`;

const exitCodes: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 2,
  OUT_OF_RANGE: 2,
  UNIMPLEMENTED: 2,
  NOT_FOUND: 3,
  ALREADY_EXISTS: 3,
  FAILED_PRECONDITION: 3,
  ABORTED: 3,
  UNAVAILABLE: 4,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 4,
  UNAUTHENTICATED: 5,
  PERMISSION_DENIED: 5,
};

/** A run that ended otherwise than by success. */
export class RunEndedError extends Error {
  constructor(readonly run: Run) {
    super(describeEnd(run));
  }
}

export function wrongUsage(message: string): FtftError {
  return new FtftError('INVALID_ARGUMENT', message, {reason: 'INVALID_FIELD'});
}

/** `address` is named when nobody answers there. */
export function reportError(error: unknown, address: string): {lines: string[]; exitCode: number} {
  if (error instanceof RunEndedError) return {lines: [error.message], exitCode: 1};
  if (error instanceof FtftError) return {lines: [error.message], exitCode: exitCodes[error.code] ?? 1};
  if (error instanceof ClientError) return reportClientError(error, address);
  return {lines: [error instanceof Error ? error.message : String(error)], exitCode: 1};
}

/** Reason of the error table; undefined for errors that the server did not make. */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof RichClientError)) return undefined;
  for (const detail of error.extra) if (detail.$type === ErrorInfo.$type) return (detail as ErrorInfo).reason;
  return undefined;
}

function reportClientError(error: ClientError, address: string): {lines: string[]; exitCode: number} {
  const code = Status[error.code] as ErrorCode;
  const exitCode = exitCodes[code] ?? 1;
  const reason = reasonOf(error);
  if (code === 'UNAVAILABLE' && reason === undefined)
    return {lines: [`Cannot reach a server at ${address}; start one with: ftft serve`, `  ${error.details}`], exitCode};
  const tag = reason === undefined ? code : `${code}, ${reason}`;
  return {lines: [...messageLines(error), `  (${tag})`], exitCode};
}

/** The server's message tells the violations one after the other; two or more read better one a line. */
function messageLines(error: ClientError): string[] {
  const violations = violationsOf(error);
  const isTold = (v: {description: string}) => error.details.includes(v.description);
  if (violations.length === 0 || (violations.length === 1 && violations.every(isTold))) return [error.details];
  const [first] = violations;
  const start = error.details.indexOf(`${first.field} ${first.description}`);
  const head = start > 0 ? error.details.slice(0, start).replace(/[:;\s]+$/, '') : error.details;
  return [`${head}:`, ...violations.map(v => `  ${v.field}: ${v.description}`)];
}

function violationsOf(error: ClientError): {field: string; description: string}[] {
  if (!(error instanceof RichClientError)) return [];
  return error.extra.flatMap(detail =>
    detail.$type === BadRequest.$type ? (detail as BadRequest).fieldViolations : [],
  );
}

function describeEnd(run: Run): string {
  const how = run.state === Run_State.STATE_CANCELLED ? 'was cancelled' : 'failed';
  const info = run.error?.details.find(detail => detail.typeUrl.endsWith(`/${ErrorInfo.$type}`));
  const reason = info ? ` (${ErrorInfo.decode(info.value).reason})` : '';
  return `${run.name} ${how}${run.error?.message ? `: ${run.error.message}` : ''}${reason}`;
}
