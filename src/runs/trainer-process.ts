// The child's side of the channel: one job in, its events out. The process ends with the job, or when its parent is gone.
import {setImmediate as nextTurn} from 'node:timers/promises';
import {FtftError, type PlainError} from '../errors.js';
import {measureRates} from './measure-rates.js';
import {type JobContext, type LoadClassifier, train} from './train-job.js';
import type {FromTrainer, ToTrainer} from './trainer-protocol.js';

export function serveTrainer(loadClassifier: LoadClassifier): void {
  const stop = new AbortController();
  let isLeaving = false;
  let committed = () => {};
  // Nobody would commit what an orphan trains.
  process.on('disconnect', () => process.exit(1));
  // Ctrl-C reaches the whole process group; when to stop is the parent's to say.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});

  const tell: JobContext['tell'] = async message => {
    const isCommitted = new Promise<void>(resolve => {
      committed = resolve;
    });
    await send(message);
    if (message.kind === 'epoch' || message.kind === 'checkpoint') await isCommitted;
    // A step may never leave the microtask queue: messages and the end of the parent are heard in a turn of the loop.
    await nextTurn();
  };
  const work = async (message: Extract<ToTrainer, {job: unknown}>): Promise<FromTrainer> => {
    const {signal} = stop;
    if (message.kind === 'measure')
      return {kind: 'measured', rates: await measureRates(message.job, loadClassifier, signal)};
    const context = {signal, isLeaving: () => isLeaving, tell};
    return {kind: 'done', ...(await train(message.job, loadClassifier, context))};
  };
  const answer = (message: Extract<ToTrainer, {job: unknown}>): Promise<FromTrainer> =>
    work(message).catch(error => (stop.signal.aborted ? {kind: 'stopped'} : failure(error)));

  process.on('message', async (message: ToTrainer) => {
    if (message.kind === 'stop') {
      isLeaving = message.isLeaving;
      stop.abort();
    }
    if (message.kind === 'committed') committed();
    if (!('job' in message)) return;
    await send(await answer(message));
    process.exit(0);
  });
}

function send(message: FromTrainer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, undefined, undefined, error => (error ? reject(error) : resolve()));
  });
}

function failure(error: unknown): FromTrainer {
  if (error instanceof FtftError) return {kind: 'failed', error: error.toPlain()};
  if (isOutOfMemory(error)) return {kind: 'failed', error: outOfMemory(error)};
  return {kind: 'broken', stack: error instanceof Error ? (error.stack ?? error.message) : String(error)};
}

/** As TensorFlow, V8 and Node say it. */
function isOutOfMemory(error: unknown): error is Error {
  return (
    error instanceof Error && /OOM when allocating|[Aa]rray buffer allocation failed|out of memory/.test(error.message)
  );
}

function outOfMemory({message}: Error): PlainError {
  return {
    code: 'RESOURCE_EXHAUSTED',
    message: `Cannot go on training: the device's memory must hold model, optimizer and batch, it did not (${message.slice(0, 200)}); try a smaller batch_size or max_length`,
    reason: 'OUT_OF_MEMORY',
  };
}
