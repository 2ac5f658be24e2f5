// Structured log lines on stderr; stdout belongs to what the program answers.
import {type Logger, pino} from 'pino';

export type Log = Logger;

/** One JSON object a line: level, time (ISO 8601), msg, and the fields given. Never texts of a dataset, never tokens. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {level: label => ({level: label})},
    },
    pino.destination({fd: 2, sync: true}),
  );
}
