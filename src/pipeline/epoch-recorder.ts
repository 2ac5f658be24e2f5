// Batches and their logits in, in any order, and what was recorded before an interruption; one epoch's columns, and whether every instance was visited, out.
import type {Batch} from '../data/types.js';
import {argMax, goldProbability} from './logits.js';
import type {EpochDynamics, PartialEpoch, TokenizedDataset} from './types.js';

/** With a mask of what was visited: a row of zeros is a value like any other. */
export class EpochRecorder {
  readonly dynamics: EpochDynamics;
  numVisited: number;
  private readonly visited: Uint8Array;
  /** Row of an instance in the columns, by its index in the dataset. */
  private readonly rows: Int32Array;
  private lossSum: number;

  constructor(
    private readonly dataset: TokenizedDataset,
    instances: Int32Array,
    before?: PartialEpoch,
  ) {
    const n = instances.length;
    this.visited = before?.visited.slice() ?? new Uint8Array(n);
    this.numVisited = this.visited.reduce((sum, flag) => sum + flag, 0);
    this.lossSum = before?.lossSum ?? 0;
    this.rows = new Int32Array(dataset.labels.length).fill(-1);
    for (let row = 0; row < n; row++) this.rows[instances[row]] = row;
    const {pTrue, isCorrect, logits} = before?.dynamics ?? {};
    this.dynamics = {
      pTrue: pTrue?.slice() ?? new Float32Array(n),
      isCorrect: isCorrect?.slice() ?? new Uint8Array(n),
      logits: logits?.slice() ?? new Float32Array(n * dataset.numClasses),
    };
  }

  /** What a later recorder goes on from; lives while this one does not record. */
  get partial(): Omit<PartialEpoch, 'seconds'> {
    return {dynamics: this.dynamics, visited: this.visited, lossSum: this.lossSum};
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
