// Numbers and messages → the words and JSON that commands print.

import {Run_State} from '../server/gen/ftft/v1/run.js';
import type {Duration} from '../server/gen/google/protobuf/duration.js';

const durationKeys = new Set([
  'acceleratorTime',
  'wallTime',
  'queueTime',
  'wastedAcceleratorTime',
  'leastAcceleratorTime',
  'ermAcceleratorTime',
  'estimatedRemaining',
  'executionTimeout',
]);

/** One line of JSON. Durations are written as protobuf's own JSON has them, "3.5s". */
export function jsonLine(value: unknown): string {
  const replacer = (key: string, item: unknown) =>
    durationKeys.has(key) && typeof item === 'object' ? `${seconds(item as Partial<Duration>)}s` : item;
  return `${JSON.stringify(value, replacer)}\n`;
}

export function seconds(duration: Partial<Duration> | undefined): number {
  return (duration?.seconds ?? 0) + (duration?.nanos ?? 0) / 1e9;
}

/** 0:07, 12:34, 1:02:03. */
export function clock(totalSeconds: number): string {
  const whole = Math.round(totalSeconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}

export function percent(ratio: number, digits = 1): string {
  return (100 * ratio).toFixed(digits);
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** running for STATE_RUNNING. */
export function stateWord(state: Run_State): string {
  return (Run_State[state] ?? 'UNKNOWN').replace('STATE_', '').toLowerCase();
}

export function isTerminal(state: Run_State): boolean {
  return [Run_State.STATE_SUCCEEDED, Run_State.STATE_FAILED, Run_State.STATE_CANCELLED].includes(state);
}
