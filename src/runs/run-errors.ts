// Why runs end before their time, in the words of the error table.
import type {PlainError} from '../errors.js';

export const unexpected: PlainError = {
  code: 'INTERNAL',
  message: 'Cannot go on with the run: the trainer met a bug, which the log of the server describes',
  reason: 'UNEXPECTED',
};

export const cancelledByCaller: PlainError = {
  code: 'CANCELLED',
  message: 'The run was cancelled by a caller',
  reason: 'CANCELLED_BY_CALLER',
};

export function executionTimeout(timeoutMs: number): PlainError {
  return {
    code: 'DEADLINE_EXCEEDED',
    message: `Cannot go on with the run: all attempts together must end within execution_timeout, ${timeoutMs / 1000} s`,
    reason: 'EXECUTION_TIMEOUT',
  };
}

export function workerLost(lostLeases: number, maxAttempts: number): PlainError {
  return {
    code: 'UNAVAILABLE',
    message: `Cannot go on with the run: a worker must live to its end, ${lostLeases} of ${maxAttempts} attempts were lost with theirs`,
    reason: 'WORKER_LOST',
  };
}
