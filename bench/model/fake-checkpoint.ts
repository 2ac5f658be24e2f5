// A shape's config.json → a checkpoint in memory with seeded normal weights, whose tensors exist only while they are read.
import {parseModelConfig} from '../../src/data/model-config.js';
import type {Checkpoint, NamedTensor} from '../../src/data/types.js';
import {expectedParameters} from '../../src/model/parameters.js';
import {normals, randomStream} from '../../src/random.js';
import type {RawConfig} from './shapes.js';

/** Prime, so that no two rows of a matrix begin alike. */
const numDrawn = 65537;

export interface FakeCheckpointOptions {
  numClasses: number;
  /** Called before a tensor's values are made. */
  onRead?: (name: string) => void;
}

/** Norm weights are 1, biases 0, all else N(0, initializer_range); UNIMPLEMENTED/NOT_SUPPORTED as for a real config.json. */
export function fakeCheckpoint(raw: RawConfig, {numClasses, onRead}: FakeCheckpointOptions): Checkpoint {
  const config = parseModelConfig('config.json of the benchmark', JSON.stringify(raw));
  const drawn = normals(numDrawn, randomStream(1, 'data')).map(value => value * config.initializerRange);
  const tensors = expectedParameters(config, numClasses).map(({name, shape}, i): NamedTensor => {
    const read = () => {
      onRead?.(name);
      const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
      if (name.endsWith('LayerNorm.weight')) return values.fill(1);
      return name.endsWith('.bias') ? values : repeated(values, drawn, (i * 7919) % numDrawn);
    };
    return {name, shape, read};
  });
  return {folder: 'a fake checkpoint', config, tensors: new Map(tensors.map(tensor => [tensor.name, tensor]))};
}

function repeated(values: Float32Array, drawn: Float32Array, first: number): Float32Array {
  let filled = Math.min(values.length, drawn.length - first);
  values.set(drawn.subarray(first, first + filled));
  while (filled < values.length) {
    const piece = drawn.subarray(0, Math.min(drawn.length, values.length - filled));
    values.set(piece, filled);
    filled += piece.length;
  }
  return values;
}
