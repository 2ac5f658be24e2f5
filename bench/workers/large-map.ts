// A process that writes the log of a made-up run, or builds a data map of it as the server does and tells seconds and memory.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {digestOf, toChunks} from '../../src/runs/committed-epochs.js';
import {createRuns} from '../../src/runs/create-runs.js';
import {Datasets} from '../../src/runs/datasets.js';
import {FileStore} from '../../src/runs/file-store.js';
import {RunInstances} from '../../src/runs/run-instances.js';
import {SqlCatalog} from '../../src/runs/sql-catalog.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import type {LogEvent, RunRecord} from '../../src/runs/types.js';
import {answer} from './answer.js';

const runId = 'large';
const cost = {
  ...{acceleratorMs: 0, wallMs: 0, queueMs: 0, trainedInstances: 0, trainedTokens: 0, flops: 0, wastedAcceleratorMs: 0},
};

await answer({
  async write({folder, instances, epochs}: {folder: string; instances: number; epochs: number}) {
    const sqlite = new Sqlite(join(folder, 'ftft.db'));
    const [store, catalog] = [createSqlStore(sqlite), new SqlCatalog(sqlite)];
    await store.runs.insert({
      run: imported(epochs),
      work: {modelFolder: '', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []},
      lostLeases: 0,
    });
    const labels = Int32Array.from({length: instances}, (_, i) => i % 2);
    const guids = Array.from({length: instances}, (_, i) => `i${i}`);
    await new RunInstances(catalog, new Datasets(catalog, new FileStore(folder, '', ''))).put(runId, {
      guids,
      labels,
      numClasses: 2,
    });
    for (let epoch = 0; epoch < epochs; epoch++)
      await store.log.append({runId}, stored => ({stored, events: epochEvents(epoch, epochs, instances)}));
    await sqlite.close();
    return {};
  },

  async build({folder}: {folder: string}) {
    const where = {dataDir: folder, cacheDir: folder, modelDir: folder, isOffline: true, hubToken: undefined};
    const runs = await createRuns({...where, leaseMs: 10_000, maxPendingRuns: 1});
    const before = memoryOf('VmRSS');
    const processorBefore = process.cpuUsage();
    const began = performance.now();
    const map = await runs.buildDataMap({run: runId, validateOnly: false});
    const seconds = (performance.now() - began) / 1000;
    const {user, system} = process.cpuUsage(processorBefore);
    const growth = memoryOf('VmHWM') - before;
    await runs.close({graceMs: 0});
    const {instanceCount, selectedCount, digest} = map;
    return {seconds, processorSeconds: (user + system) / 1e6, growth, instanceCount, selectedCount, digest};
  },
});

/** Probabilities that rise with the epochs, each instance at a pace of its own. */
function epochEvents(epoch: number, numEpochs: number, numInstances: number): LogEvent[] {
  const pTrue = new Float32Array(numInstances);
  const isCorrect = new Uint8Array(numInstances);
  let state = epoch + 1;
  for (let i = 0; i < numInstances; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const pace = ((i * 0x9e37) & 0xffff) / 0x10000;
    pTrue[i] = 0.8 * pace ** (numEpochs / (epoch + 1)) + 0.2 * ((state >>> 8) / 2 ** 24);
    isCorrect[i] = pTrue[i] > 0.5 ? 1 : 0;
  }
  const dynamics = {pTrue, isCorrect, logits: new Float32Array()};
  const chunks = toChunks(epoch, dynamics);
  const committed: LogEvent = {
    kind: 'epoch-committed',
    ...{epoch, chunkCount: chunks.length, instanceCount: numInstances, digest: digestOf(dynamics)},
    ...{trainLoss: 1 / (epoch + 1), steps: 0, cost},
  };
  return [{kind: 'epoch-started', epoch}, ...chunks, committed];
}

function imported(epochs: number): RunRecord {
  const progress = {
    committedEpochs: epochs,
    totalEpochs: epochs,
    steps: 0,
    totalSteps: 0,
    keptSteps: 0,
    stoppedEarly: false,
  };
  return {
    ...{id: runId, uid: runId, etag: '', kind: 'IMPORTED', state: 'SUCCEEDED', attempt: 0, queuePosition: 0},
    spec: {
      ...{dataset: '', trainSplit: '', evaluationSplits: [], model: '', layers: 0, maxLength: 0, epochs, batchSize: 0},
      ...{learningRate: 0, warmupRatio: 0, weightDecay: 0, precision: 'FLOAT32', seed: 0, evaluationIntervalSteps: 0},
      ...{maxAttempts: 1, priority: 0},
    },
    ...{progress, cost, evaluations: [], labels: {}, createTime: 0, updateTime: 0},
  };
}

/** Bytes. */
function memoryOf(key: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]);
}
