// Milliseconds ⇄ Timestamp (a Date in the generated code) and Duration.
import type {Duration} from './gen/google/protobuf/duration.js';

export function toDuration(milliseconds: number): Duration;
export function toDuration(milliseconds: number | undefined): Duration | undefined;
export function toDuration(milliseconds: number | undefined): Duration | undefined {
  if (milliseconds === undefined) return undefined;
  const seconds = Math.trunc(milliseconds / 1000);
  return {seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6)};
}

export const toDate = (milliseconds: number | undefined): Date | undefined =>
  milliseconds === undefined ? undefined : new Date(milliseconds);
