// Seconds per training step, ours and PyTorch's taking turns on the same machine: minima and their ratio, as a table.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import Table from 'cli-table3';
import type {Batch} from '../src/data/types.js';
import {loadClassifier} from '../src/pipeline/load-classifier.js';
import {peerEnvironment, python} from './peers/environment.js';
import {classNames} from './recipe.js';

const shapes = [
  {batch: 32, length: 48},
  {batch: 32, length: 128},
];
const warmUps = 2;
const script = fileURLToPath(new URL('./peers/train_step.py', import.meta.url));

export async function benchTrain(
  modelFolder: string,
  {rounds, threads}: {rounds: number; threads: number},
): Promise<void> {
  const peer = await startPeer(modelFolder, threads);
  const classifier = await loadClassifier(modelFolder, {classNames, seed: 0, weightDecay: 0});
  const vocabSize = Number(classifier.config().vocab_size);
  let step = 0;
  const ours = async (shape: (typeof shapes)[number]) => {
    const batch = randomBatch(shape, vocabSize);
    const began = performance.now();
    await classifier.trainStep(batch, {step: step++, learningRate: 5e-5});
    return (performance.now() - began) / 1000;
  };
  const table = new Table({
    head: ['MiniLM 6x384, batch x length', 'ftft fp32', 'PyTorch fp32', 'ratio', 'PyTorch bf16', 'ratio'],
    style: {head: [], border: []},
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
  });
  for (const shape of shapes) {
    const seconds = {ours: [] as number[], fp32: [] as number[], bf16: [] as number[]};
    for (let round = -warmUps; round < rounds; round++) {
      const taken = {
        ours: await ours(shape),
        fp32: await peer.step({...shape, precision: 'fp32', seed: step}),
        bf16: await peer.step({...shape, precision: 'bf16', seed: step}),
      };
      if (round >= 0) for (const side of ['ours', 'fp32', 'bf16'] as const) seconds[side].push(taken[side]);
    }
    const [own, fp32, bf16] = [seconds.ours, seconds.fp32, seconds.bf16].map(values => Math.min(...values));
    const ratio = (other: number) => `${(own / other).toFixed(2)}x`;
    const cell = (value: number) => `${value.toFixed(3)} s`;
    table.push([`${shape.batch} x ${shape.length}`, cell(own), cell(fp32), ratio(fp32), cell(bf16), ratio(bf16)]);
  }
  console.log(table.toString());
  console.log(`Least of ${rounds} steps a cell, taken in turns; ratio: ftft's seconds over PyTorch's`);
  classifier.dispose();
  await peer.end();
}

interface PeerStep {
  batch: number;
  length: number;
  precision: 'fp32' | 'bf16';
  seed: number;
}

async function startPeer(modelFolder: string, threads: number) {
  const child = spawn(python, [script, '--model', modelFolder, '--threads', String(threads)], {
    env: await peerEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  return {
    async step(request: PeerStep): Promise<number> {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const {value, done} = await answers.next();
      if (done) throw new Error('PyTorch peer ended; what it printed is above');
      return Number(value);
    },
    async end(): Promise<void> {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

function randomBatch({batch: batchSize, length}: {batch: number; length: number}, vocabSize: number): Batch {
  const size = batchSize * length;
  return {
    instances: Int32Array.from({length: batchSize}, (_, i) => i),
    inputIds: Int32Array.from({length: size}, () => 1000 + Math.floor(Math.random() * (vocabSize - 1000))),
    tokenTypeIds: new Int32Array(size),
    attentionMask: new Int32Array(size).fill(1),
    labels: Int32Array.from({length: batchSize}, (_, i) => i % 2),
    batchSize,
    length,
  };
}
