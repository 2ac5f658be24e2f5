// Batches and their logits in, in any order; one epoch's columns, and whether every instance was visited, out.
import type {Batch} from '../data/types.js';
import {argMax, goldProbability} from './logits.js';
import type {EpochDynamics, TokenizedDataset} from './types.js';

/** With a mask of what was visited: a row of zeros is a value like any other. */
export class EpochRecorder {
  readonly dynamics: EpochDynamics;
  numVisited = 0;
  private readonly visited: Uint8Array;
  /** Row of an instance in the columns, by its index in the dataset. */
  private readonly rows: Int32Array;
  private lossSum = 0;

  constructor(
    private readonly dataset: TokenizedDataset,
    instances: Int32Array,
  ) {
    const n = instances.length;
    this.visited = new Uint8Array(n);
    this.rows = new Int32Array(dataset.labels.length).fill(-1);
    for (let row = 0; row < n; row++) this.rows[instances[row]] = row;
    this.dynamics = {
      pTrue: new Float32Array(n),
      isCorrect: new Uint8Array(n),
      logits: new Float32Array(n * dataset.numClasses),
    };
  }

  get isWhole(): boolean {
    return this.numVisited === this.visited.length;
  }

  /** Mean cross-entropy over the instances visited. */
  get meanLoss(): number {
    return this.lossSum / this.numVisited;
  }

  record({instances, batchSize}: Batch, logits: Float32Array, loss: number): void {
    const {numClasses, labels} = this.dataset;
    for (let b = 0; b < batchSize; b++) {
      const row = this.rows[instances[b]];
      const gold = labels[instances[b]];
      const start = b * numClasses;
      this.dynamics.pTrue[row] = goldProbability(logits, start, numClasses, gold);
      this.dynamics.isCorrect[row] = argMax(logits, start, numClasses) === gold ? 1 : 0;
      this.dynamics.logits.set(logits.subarray(start, start + numClasses), row * numClasses);
      this.numVisited += 1 - this.visited[row];
      this.visited[row] = 1;
    }
    this.lossSum += loss * batchSize;
  }
}
