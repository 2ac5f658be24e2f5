// A shape and a precision in; our process and PyTorch's, each with that model made and stepped once, for as long as work on them lasts.
import {type ShapeName, shapes} from '../model/shapes.js';
import type {Notes} from '../report/results.js';
import type {Precision} from './protocol.js';
import {create, type Side, startOurs, startPeer, versions} from './side.js';

export interface SidesRequest {
  shape: ShapeName;
  precision: Precision;
  numClasses: number;
  threads: number;
  /** Whether torch.compile takes part. */
  compile: boolean;
  /** Batches differ in length. */
  dynamic?: boolean;
  /** Run on each side first. A side of PyTorch that fails in it is left out. */
  first: (side: Side) => Promise<unknown>;
}

/** What is told of the sides, beside their times. */
export interface About {
  notes: Notes;
  versions: Record<string, string>;
}

/** Ours comes first. Undefined, with a note of why, when ours or plain PyTorch cannot make the model. */
export async function withModelSides<Result>(
  request: SidesRequest,
  about: About,
  work: (sides: Record<string, Side>) => Promise<Result>,
): Promise<Result | undefined> {
  const {shape, precision, compile, threads} = request;
  const started: Side[] = [];
  const attempt = async (name: string, compiled: boolean, start: () => Side | Promise<Side>) => {
    const side = await start();
    started.push(side);
    try {
      const {numClasses, dynamic, first} = request;
      await create(side, {config: shapes[shape].config, numClasses, precision, compiled, dynamic});
      await first(side);
      return {[name]: side};
    } catch (error) {
      about.notes[`${name}, ${shapes[shape].title}, ${precision}`] = `skipped, ${(error as Error).message}`;
      return {};
    }
  };
  try {
    const ours = await attempt('ftft', true, () => startOurs({threads}));
    if (!('ftft' in ours)) return undefined;
    const eager = await attempt('PyTorch', false, () => startPeer('model.py', {threads}));
    if (!('PyTorch' in eager)) return undefined;
    Object.assign(about.versions, await versions(eager.PyTorch));
    const compiled = compile ? await attempt('torch.compile', true, () => startPeer('model.py', {threads})) : {};
    return await work({...ours, ...eager, ...compiled});
  } finally {
    await Promise.all(started.map(side => side.end()));
  }
}
