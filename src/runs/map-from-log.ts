// A run's committed epochs in, streamed from its log; the columns of a data map out. A large one is assembled in a thread of its own while this
// one reads; the columns are the same to the last bit.
import {extname} from 'node:path';
import {Worker} from 'node:worker_threads';
import type {MapShape} from '../pipeline/data-map-builder.js';
import type {DataMap} from '../pipeline/types.js';
import {type CommittedEpoch, type DynamicsBlock, dynamicsBlocks} from './dynamics-blocks.js';
import {type AssemblyPlan, MapAssembly} from './map-assembly.js';
import type {EventLog} from './store.js';

export interface LoggedDynamics {
  runId: string;
  epochs: CommittedEpoch[];
  /** Of all instances. */
  labels: Int32Array;
}

export type ToMapThread = {kind: 'block'; block: DynamicsBlock; labels?: Int32Array} | {kind: 'finish'};
export type FromMapThread = {kind: 'taken'} | {kind: 'map'; map: DataMap} | {kind: 'failed'; message: string};

/** Probabilities from which on a thread is worth its start. */
const threadProbabilities = 2 ** 23;
/** Blocks that may wait for the thread: at 16,384 instances and 10 epochs 6 MiB without logits. */
const mostWaiting = 8;

/** Throws an Error when the log is damaged. threadFrom: probabilities from which on a thread is used, for tests. */
export async function mapFromLog(
  log: EventLog,
  {runId, epochs, labels}: LoggedDynamics,
  shape: MapShape,
  threadFrom = threadProbabilities,
): Promise<DataMap> {
  const isThreaded = shape.numInstances * epochs.length >= threadFrom;
  const assembly = isThreaded ? new ThreadedAssembly(shape, epochs) : new MapAssembly({shape, epochs});
  try {
    let first = 0;
    for await (const block of dynamicsBlocks(log, runId, epochs)) {
      const end = first + block.instanceCount;
      await assembly.add(block, shape.needsLogits ? labels.slice(first, end) : undefined);
      first = end;
    }
    return await assembly.finish();
  } finally {
    if (assembly instanceof ThreadedAssembly) await assembly.end();
  }
}

/** MapAssembly of another thread. */
class ThreadedAssembly {
  private readonly worker: Worker;
  private readonly map: Promise<DataMap>;
  private waiting = 0;
  private onTaken = () => {};

  constructor(shape: MapShape, epochs: CommittedEpoch[]) {
    this.worker = startThread({shape, epochs});
    this.map = new Promise((resolve, reject) => {
      this.worker.on('message', (message: FromMapThread) => {
        if (message.kind === 'map') resolve(message.map);
        else if (message.kind === 'failed') reject(new Error(message.message));
        else {
          this.waiting--;
          this.onTaken();
        }
      });
      this.worker.once('error', reject);
      this.worker.once('exit', () => reject(new Error('The thread of a data map ended before its map was whole')));
    });
    // Whoever waits for it hears of it; before that it is nobody's.
    this.map.catch(() => this.onTaken());
  }

  /** Resolves when the next one may be added. The block is the thread's from now on. */
  async add(block: DynamicsBlock, labels?: Int32Array): Promise<void> {
    const columns = [...block.pTrue, ...block.correctBits, ...block.logits, ...(labels ? [labels] : [])];
    this.send({kind: 'block', block, labels}, buffersOf(columns));
    this.waiting++;
    if (this.waiting >= mostWaiting)
      await Promise.race([
        this.map,
        new Promise<void>(resolve => {
          this.onTaken = resolve;
        }),
      ]);
  }

  async finish(): Promise<DataMap> {
    this.send({kind: 'finish'});
    return await this.map;
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private send(message: ToMapThread, buffers: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, buffers);
  }
}

/** As TypeScript through tsx, whose loader threads do not inherit, or compiled. */
function startThread(workerData: AssemblyPlan): Worker {
  const ending = extname(import.meta.url);
  const loader = () =>
    `data:text/javascript,import {register} from '${import.meta.resolve('tsx/esm/api')}'; register();`;
  const execArgv = ending === '.ts' ? ['--import', loader()] : [];
  return new Worker(new URL(`./map-thread${ending}`, import.meta.url), {workerData, execArgv});
}

/** Each once: what is sent to another thread without a copy. */
export function buffersOf(columns: {buffer: ArrayBufferLike}[]): ArrayBuffer[] {
  return [...new Set(columns.map(({buffer}) => buffer as ArrayBuffer))];
}
