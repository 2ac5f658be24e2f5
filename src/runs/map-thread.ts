// A thread of its own: the plan of a data map and blocks of dynamics in, its columns out. Started by map-from-log.ts.
import {parentPort, workerData} from 'node:worker_threads';
import type {DynamicsBlock} from './dynamics-blocks.js';
import {type AssemblyPlan, MapAssembly} from './map-assembly.js';
import {buffersOf, type FromMapThread, type ToMapThread} from './map-from-log.js';

const assembly = new MapAssembly(workerData as AssemblyPlan);
const answer = (message: FromMapThread, buffers: ArrayBuffer[] = []) => parentPort!.postMessage(message, buffers);

parentPort!.on('message', (message: ToMapThread) => {
  try {
    if (message.kind === 'block') add(message);
    else finish();
  } catch (error) {
    answer({kind: 'failed', message: error instanceof Error ? error.message : String(error)});
  }
});

function add({block, labels}: {block: DynamicsBlock; labels?: Int32Array}): void {
  assembly.add(block, labels);
  answer({kind: 'taken'});
}

function finish(): void {
  const map = assembly.finish();
  const {confidence, variability, correctness, forgettingEvents, isWrongAtLast, scores} = map;
  const columns = [confidence, variability, correctness, forgettingEvents, isWrongAtLast, ...Object.values(scores)];
  answer({kind: 'map', map}, buffersOf(columns));
}
