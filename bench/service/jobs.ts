// What the load generator is asked to do, and what it answers; it is a process of its own, so that the service and it share nothing.
import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';

interface Common {
  /** HOST:PORT. */
  address: string;
  /** runs/ID. */
  run: string;
}

/** GetRun over and over. */
export interface CallsJob extends Common {
  do: 'calls';
  /** Calls a second, begun when they are due whether the ones before have ended or not; 0: as many as go, `connections` x 8 at once. */
  rate: number;
  seconds: number;
  connections: number;
}

export interface CallsAnswer {
  /** Seconds from when a call was due, or begun, to its end; of one percentile each. */
  median: number;
  least: number;
  p99: number;
  count: number;
  perSecond: number;
}

/** Whole logs, again and again, each reader over a connection of its own. */
export interface ReplayJob extends Common {
  do: 'replay';
  readers: number;
  seconds: number;
}

export interface ReplayAnswer {
  bytes: number;
  seconds: number;
  replays: number;
}

/** Epochs of a run that trains, from when they were committed until each reader has them; a reader leaves when it has seen so many. */
export interface FollowJob extends Common {
  do: 'follow';
  readers: number;
  epochs: number;
}

export interface FollowAnswer {
  seconds: number[];
}

/** A reader that opens a stream and reads none of it. */
export interface StallJob extends Common {
  do: 'stall';
  seconds: number;
}

export interface StallAnswer {
  /** Status that the stream ended with; undefined where it did not end. */
  status?: number;
}

export type Job = CallsJob | ReplayJob | FollowJob | StallJob;
interface Answers {
  calls: CallsAnswer;
  replay: ReplayAnswer;
  follow: FollowAnswer;
  stall: StallAnswer;
}

export async function ask<Asked extends Job>(job: Asked): Promise<Answers[Asked['do']]> {
  const script = fileURLToPath(new URL('../workers/service-load.ts', import.meta.url));
  const output = await outputOf(process.execPath, [
    '--import',
    import.meta.resolve('tsx'),
    script,
    JSON.stringify(job),
  ]);
  return JSON.parse(output) as Answers[Asked['do']];
}

/** Of a program that must end well. */
export async function outputOf(file: string, args: string[]): Promise<string> {
  const child = spawn(file, args, {stdio: ['ignore', 'pipe', 'inherit']});
  let output = '';
  child.stdout.on('data', piece => {
    output += piece;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0) throw new Error(`The load generator ended with ${status}`);
  return output;
}
