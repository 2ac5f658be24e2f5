// The one error class. Handlers turn it into a gRPC status, the CLI into a line and an exit code; anything else thrown is a bug.

/** Canonical gRPC codes that we raise on purpose. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'OUT_OF_RANGE'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'UNIMPLEMENTED'
  | 'CANCELLED'
  | 'INTERNAL';

/** A broken rule of one request field, or of one row of an imported file. */
export interface FieldViolation {
  /** Path in the request, snake_case as in the contract: `spec.epochs`, `data[line 17].label`. */
  field: string;
  description: string;
}

export interface ErrorDetails {
  /** Reason of the error table, such as RUN_NOT_FOUND; stable, for programs. */
  reason: string;
  violations?: FieldViolation[];
  /** The resource that is missing or in the way. */
  resource?: {type: 'Run' | 'Dataset' | 'DataMap' | 'Model'; name: string};
  /** Machine-readable context, such as earliest_token. */
  metadata?: Record<string, string>;
  /** When trying again may help. */
  retryAfterMs?: number;
}

/** What crosses process boundaries and is stored in run records instead of the class. */
export interface PlainError extends ErrorDetails {
  code: ErrorCode;
  message: string;
}

/** Message: what was tried, what must hold, what it was; no full stop. */
export class FtftError extends Error {
  override readonly name = 'FtftError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  toPlain(): PlainError {
    return {code: this.code, message: this.message, ...this.details};
  }

  static fromPlain({code, message, ...details}: PlainError): FtftError {
    return new FtftError(code, message, details);
  }
}

/** INVALID_ARGUMENT/INVALID_FIELD for one or more fields; the message joins the descriptions. */
export function invalidFields(what: string, violations: FieldViolation[]): FtftError {
  const list = violations.map(v => `${v.field} ${v.description}`).join('; ');
  return new FtftError('INVALID_ARGUMENT', `${what}: ${list}`, {reason: 'INVALID_FIELD', violations});
}
