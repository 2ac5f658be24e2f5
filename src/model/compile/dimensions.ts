// Sizes that are known only when the graph runs. While a step is recorded each of them is one large prime, its marker: ordinary shape
// arithmetic carries it along, and a size in the recording that is a multiple of markers is computed in the graph instead. So one graph
// serves batches of every shape.
import {constant, makeNode, typeAttribute, type Value} from './graph.js';

// A product of two of them, as a flattened grid has it, still fits an int32.
const primes = [32749, 32719, 32717, 32713, 32707, 32693];

/** The sizes by name, each with its marker. */
export type Dimensions = Record<string, number>;

export function markers(names: readonly string[]): Dimensions {
  if (names.length > primes.length) throw new Error(`Cannot mark ${names.length} sizes, at most ${primes.length}`);
  return Object.fromEntries(names.map((name, i) => [name, primes[i]]));
}

/** A size as a fixed factor times named sizes; undefined when it holds none. */
export function factors(size: number, dimensions: Dimensions): {fixed: number; names: string[]} | undefined {
  if (size <= 0) return undefined;
  const names: string[] = [];
  let fixed = size;
  for (const [name, prime] of Object.entries(dimensions))
    while (fixed % prime === 0) {
      names.push(name);
      fixed /= prime;
    }
  return names.length > 0 ? {fixed, names} : undefined;
}

/** What TensorFlow may know of a shape before the graph runs: -1 for the sizes it cannot know. */
export const knownShape = (shape: readonly number[], dimensions: Dimensions): number[] =>
  shape.map(size => (factors(size, dimensions) ? -1 : size));

/** Nodes that compute shapes from the sizes, one for each size. */
export class ShapeNodes {
  private readonly scalars = new Map<number, Value>();

  constructor(private readonly dimensions: Dimensions) {}

  /** Named sizes that an input of the graph has, or a value that was given them, are read off it. */
  learn(value: Value): void {
    value.shape.forEach((size, axis) => {
      const isNamed = Object.values(this.dimensions).includes(size);
      if (isNamed && !this.scalars.has(size)) this.scalars.set(size, sizeAt(value, axis));
    });
  }

  /** What a recorded shape, or a single size, stands for; the constant itself when it holds no marker. */
  resolve(recorded: Value, sizes: readonly number[]): Value {
    if (!sizes.some(size => factors(size, this.dimensions))) return recorded;
    const scalars = sizes.map(size => this.scalar(size));
    if (recorded.shape.length === 0) return scalars[0];
    const attributes = {T: typeAttribute('int32'), N: int(scalars.length), axis: int(0)};
    return makeNode('Pack', attributes, scalars, [{type: 'int32', shape: [scalars.length]}]).outputs[0];
  }

  private scalar(size: number): Value {
    const known = this.scalars.get(size);
    if (known) return known;
    const {fixed, names} = factors(size, this.dimensions) ?? {fixed: size, names: []};
    const parts = names.map(name => {
      const value = this.scalars.get(this.dimensions[name]);
      if (!value) throw new Error(`Cannot compute a shape: no input has the size ${name} as an axis`);
      return value;
    });
    if (fixed !== 1 || parts.length === 0) parts.push(constant('int32', [fixed]));
    const made = parts.reduce(
      (a, b) => makeNode('Mul', {T: typeAttribute('int32')}, [a, b], [{type: 'int32', shape: []}]).outputs[0],
    );
    this.scalars.set(size, made);
    return made;
  }
}

const int = (value: number) => ({$case: 'i', value}) as const;

/** int32 scalar: the size of one axis. */
function sizeAt(value: Value, axis: number): Value {
  const types = {T: typeAttribute(value.type), out_type: typeAttribute('int32')};
  const [shape] = makeNode('Shape', types, [value], [{type: 'int32', shape: [value.shape.length]}]).outputs;
  const masks = {
    begin_mask: int(0),
    end_mask: int(0),
    ellipsis_mask: int(0),
    new_axis_mask: int(0),
    shrink_axis_mask: int(1),
  };
  const bounds = [axis, axis + 1, 1].map(n => constant('int32', [n], [1]));
  const attributes = {T: typeAttribute('int32'), Index: typeAttribute('int32'), ...masks};
  return makeNode('StridedSlice', attributes, [shape, ...bounds], [{type: 'int32', shape: []}]).outputs[0];
}
