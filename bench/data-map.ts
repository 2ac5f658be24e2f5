// Logits of every epoch in memory → scores of every instance: ours, cartography's way in Python, and vectorised numpy in two ways, in
// turns and with the same numbers.
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {buildDataMap} from '../src/pipeline/build-data-map.js';
import {columnScore} from '../src/pipeline/instance-scores.js';
import {goldColumns} from '../src/pipeline/logits.js';
import {randomStream} from '../src/random.js';
import {compared, type Measurement, measured} from './report/results.js';
import {median} from './statistics.js';
import {takeTurns} from './take-turns.js';
import {targets} from './targets.js';
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

/** Of cartography, by its names; correctness and forgetfulness are counts. */
export type Scores = Record<(typeof names)[number], Float32Array>;

const names = ['confidence', 'variability', 'correctness', 'forgetfulness', 'threshold_closeness'] as const;
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
        numpyByClass: theirs('numpy_by_class'),
        cartography: async round => (round < 0 || round >= slowRounds ? [] : theirs('cartography')()),
      },
      {rounds, warmUps},
    );
    const what = `${instances} instances, ${numEpochs} epochs, ${numClasses} classes`;
    const ours = measured('ftft', seconds.ours);
    return {
      title: 'Logits to the scores of a data map',
      rows: [
        compared(what, ours, measured("cartography's way", seconds.cartography), targets.dataMap.cartography),
        compared(what, ours, measured('numpy', seconds.numpy), targets.dataMap.numpy),
        compared(what, ours, measured('numpy, a column a class', seconds.numpyByClass), targets.dataMap.numpy),
      ],
      notes: {
        scores: names.join(', '),
        equality: `all agree to ${tolerance}, counts in every instance`,
        rate: `cartography's way takes ${Math.round(instances / median(seconds.cartography))} instances a second`,
      },
      versions: await versions(peer),
    };
  } finally {
    await peer.end();
    rmSync(folder, {recursive: true});
  }
}

/** What cartography's table has; the population deviation is its own. */
export function scores({labels, epochs}: Logits): Scores {
  const dynamics = epochs.map(logits => ({...goldColumns(logits, labels, numClasses), logits}));
  const map = buildDataMap({epochs: dynamics, instances: labels}, {variabilityEstimator: 'population'});
  return {
    confidence: map.confidence,
    variability: map.variability,
    correctness: columnScore(map, 'correctness'),
    forgetfulness: columnScore(map, 'forgetting'),
    threshold_closeness: columnScore(map, 'threshold-closeness'),
  };
}

async function scored(peer: Side, way: string, folder: string, ours: Scores): Promise<number[]> {
  const {seconds} = await peer.ask<{seconds: number}>({do: 'score', way});
  const column = (name: string) => new Float32Array(new Uint8Array(readFileSync(join(folder, name))).buffer);
  checkEqual(ours, Object.fromEntries(names.map(name => [name, column(name)])) as Scores);
  return [seconds];
}

export function checkEqual(ours: Scores, theirs: Scores): void {
  for (const name of names) {
    const values = theirs[name];
    if (values.length !== ours[name].length) throw new Error(`${name} must have ${ours[name].length} values`);
    const allowed = name === 'correctness' || name === 'forgetfulness' ? 0 : tolerance;
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
