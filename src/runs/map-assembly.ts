// Blocks of dynamics in, in order; the columns of a data map out, once the digest of every epoch is found to be right.
import {createHash} from 'node:crypto';
import {DataMapBuilder, type MapShape} from '../pipeline/data-map-builder.js';
import type {DataMap} from '../pipeline/types.js';
import {bytesOf, unpackBits} from './columns.js';
import {type CommittedEpoch, type DynamicsBlock, damaged} from './dynamics-blocks.js';

/** What to assemble; the same in this thread and in another. */
export interface AssemblyPlan {
  shape: MapShape;
  epochs: Pick<CommittedEpoch, 'epoch' | 'digest'>[];
}

export class MapAssembly {
  private readonly builder: DataMapBuilder;
  private readonly hashes;

  constructor(private readonly plan: AssemblyPlan) {
    this.builder = new DataMapBuilder(plan.shape);
    this.hashes = plan.epochs.map(() => createHash('sha256'));
  }

  /** labels: of the block's instances, where scores need them. */
  add({instanceCount, pTrue, correctBits, ...rest}: DynamicsBlock, labels?: Int32Array): void {
    for (const [e, hash] of this.hashes.entries()) hash.update(bytesOf(pTrue[e]));
    const isCorrect = correctBits.map(bits => unpackBits(bits, instanceCount));
    this.builder.add({...rest, pTrue, isCorrect, labels});
  }

  /** Throws when a digest is wrong. */
  finish(): DataMap {
    for (const [e, {epoch, digest}] of this.plan.epochs.entries()) {
      const found = this.hashes[e].digest('hex');
      if (found !== digest) throw damaged(`the digest of epoch ${epoch} must be ${digest}, it is ${found}`);
    }
    return this.builder.finish();
  }
}
