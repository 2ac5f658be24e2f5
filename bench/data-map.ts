// Logits of every epoch in memory → scores of every instance: ours, cartography's way in Python, and vectorised numpy, in turns and with
// the same numbers.
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {buildDataMap} from '../src/pipeline/build-data-map.js';
import {argMax, goldProbability} from '../src/pipeline/logits.js';
import type {DataMap, EpochDynamics} from '../src/pipeline/types.js';
import {randomStream} from '../src/random.js';
import {compared, type Measurement, measured} from './report/results.js';
import {takeTurns} from './take-turns.js';
import {type Side, startPeer, versions} from './workers/side.js';

export interface DataMapOptions {
  instances: number;
  rounds: number;
  /** Rounds that cartography's way takes part in: it is slow. */
  slowRounds: number;
  threads: number;
}

export interface Logits {
  labels: Int32Array;
  /** [numInstances * numClasses] each. */
  epochs: Float32Array[];
}

const [numEpochs, numClasses, warmUps] = [6, 3, 1];
/** Of float32 means and deviations, computed in another order. */
const tolerance = 2e-6;

export async function benchDataMap({instances, rounds, slowRounds, threads}: DataMapOptions): Promise<Measurement> {
  const logits = drawLogits(instances);
  const folder = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const peer = await startPeer('data_map.py', {threads});
  try {
    writeFileSync(join(folder, 'logits'), Buffer.concat(logits.epochs.map(bytesOf)));
    writeFileSync(join(folder, 'labels'), bytesOf(logits.labels));
    await peer.ask({do: 'load', folder, shape: [numEpochs, instances, numClasses]});
    let map = scores(logits);
    const theirs = (way: string) => () => scored(peer, way, folder, map);
    const seconds = await takeTurns(
      {
        ours: async () => {
          const began = performance.now();
          map = scores(logits);
          return [(performance.now() - began) / 1000];
        },
        numpy: theirs('numpy'),
        cartography: async round => (round < 0 || round >= slowRounds ? [] : theirs('cartography')()),
      },
      {rounds, warmUps},
    );
    const what = `${instances} instances, ${numEpochs} epochs, ${numClasses} classes`;
    const ours = measured('ftft', seconds.ours);
    return {
      title: 'Logits to the scores of a data map',
      rows: [
        compared(what, ours, measured("cartography's way", seconds.cartography)),
        compared(what, ours, measured('numpy', seconds.numpy)),
      ],
      notes: {equality: `confidence and variability agree to ${tolerance}, correctness in every instance`},
      versions: await versions(peer),
    };
  } finally {
    await peer.end();
    rmSync(folder, {recursive: true});
  }
}

/** Probabilities of the gold label and the map of them; the population deviation is cartography's. */
export function scores({labels, epochs}: Logits): DataMap {
  const dynamics = epochs.map((logits): EpochDynamics => {
    const pTrue = new Float32Array(labels.length);
    const isCorrect = new Uint8Array(labels.length);
    for (let i = 0; i < labels.length; i++) {
      pTrue[i] = goldProbability(logits, i * numClasses, numClasses, labels[i]);
      isCorrect[i] = argMax(logits, i * numClasses, numClasses) === labels[i] ? 1 : 0;
    }
    return {pTrue, isCorrect, logits};
  });
  return buildDataMap({epochs: dynamics, instances: labels}, {variabilityEstimator: 'population'});
}

async function scored(peer: Side, way: string, folder: string, ours: DataMap): Promise<number[]> {
  const {seconds} = await peer.ask<{seconds: number}>({do: 'score', way});
  const column = (name: string) => new Float32Array(new Uint8Array(readFileSync(join(folder, name))).buffer);
  checkEqual(ours, {
    confidence: column('confidence'),
    variability: column('variability'),
    correctness: column('correctness'),
  });
  return [seconds];
}

export function checkEqual(
  ours: Pick<DataMap, 'confidence' | 'variability' | 'correctness'>,
  theirs: Record<'confidence' | 'variability' | 'correctness', Float32Array>,
): void {
  for (const [name, values] of Object.entries(theirs) as [keyof typeof theirs, Float32Array][]) {
    if (values.length !== ours[name].length) throw new Error(`${name} must have ${ours[name].length} values`);
    const allowed = name === 'correctness' ? 0 : tolerance;
    const wrong = values.findIndex((value, i) => !(Math.abs(value - ours[name][i]) <= allowed));
    if (wrong >= 0) throw new Error(`${name} of instance ${wrong}: ${ours[name][wrong]} here, ${values[wrong]} there`);
  }
}

function drawLogits(count: number): Logits {
  const random = randomStream(0, 'data');
  return {
    labels: Int32Array.from({length: count}, () => Math.floor(random() * numClasses)),
    epochs: Array.from({length: numEpochs}, () =>
      Float32Array.from({length: count * numClasses}, () => 8 * random() - 4),
    ),
  };
}

const bytesOf = ({buffer, byteOffset, byteLength}: Int32Array | Float32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
