// Run name → the run at each visible change until it ends: a long poll on its etag that outlives restarts of the server.
import {setTimeout as sleep} from 'node:timers/promises';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_State} from '../server/gen/ftft/v1/run.js';
import {isTerminal} from './format.js';
import {RunEndedError} from './report-error.js';
import {Backoff} from './retry.js';

const pollSeconds = 15;
/** A run changes with every step; nobody reads faster than this. */
const leastPauseMs = 100;

/** Yields the terminal run last. */
export async function* followRun(client: FtftServiceClient, name: string, signal: AbortSignal): AsyncGenerator<Run> {
  const backoff = new Backoff();
  let etag = '';
  while (true) {
    let run: Run;
    try {
      run = await client.waitRun({name, etag, timeout: {seconds: pollSeconds}}, {signal});
    } catch (error) {
      await backoff.wait(error, signal);
      continue;
    }
    backoff.succeeded();
    if (run.etag !== etag) yield run;
    if (isTerminal(run.state)) return;
    etag = run.etag;
    await sleep(leastPauseMs, undefined, {signal});
  }
}

/** Tells `seen` of each change; the run once it has succeeded, a RunEndedError when it ends otherwise. */
export async function waitForRun(
  client: FtftServiceClient,
  run: Run,
  seen: (run: Run) => void,
  signal: AbortSignal,
): Promise<Run> {
  let latest = run;
  for await (latest of followRun(client, run.name, signal)) seen(latest);
  if (latest.state !== Run_State.STATE_SUCCEEDED) throw new RunEndedError(latest);
  return latest;
}
