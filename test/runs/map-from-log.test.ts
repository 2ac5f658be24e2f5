// A data map from a log, in this thread and in one of its own.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {buildDataMap, mapShape} from '../../src/pipeline/build-data-map.js';
import {goldColumns} from '../../src/pipeline/logits.js';
import type {EpochDynamics, InstanceMetric} from '../../src/pipeline/types.js';
import {randomStream} from '../../src/random.js';
import {digestOf, toChunks} from '../../src/runs/committed-epochs.js';
import {committedEpochs} from '../../src/runs/dynamics-blocks.js';
import {mapFromLog} from '../../src/runs/map-from-log.js';
import type {EventLog} from '../../src/runs/store.js';
import type {LogEvent} from '../../src/runs/types.js';

/** More chunks than may wait for a thread, the last one short and no multiple of eight. */
const numInstances = 9 * 16_384 + 1003;
const [numClasses, numEpochs] = [3, 4];
const metrics: InstanceMetric[] = ['el2n', 'loss-trajectory', 'area-under-margin', 'dyn-unc'];
const random = randomStream(3, 'data');
const labels = Int32Array.from({length: numInstances}, () => Math.floor(numClasses * random()));
const epochs = Array.from({length: numEpochs}, (): EpochDynamics => {
  const logits = Float32Array.from({length: numClasses * numInstances}, () => 6 * random() - 3);
  return {...goldColumns(logits, labels, numClasses), logits};
});

/** Of one run that was never interrupted; change: what is done to an event before it is read. */
function logOf(change: (event: LogEvent) => LogEvent = event => event): EventLog {
  const events = epochs.flatMap((dynamics, epoch): LogEvent[] => {
    const chunks = toChunks(epoch, dynamics);
    const count = {chunkCount: chunks.length, instanceCount: numInstances};
    const commit = {kind: 'epoch-committed', epoch, ...count, digest: digestOf(dynamics), trainLoss: 1, steps: 0};
    return [{kind: 'epoch-started', epoch}, ...chunks, commit as LogEvent];
  });
  const stored = events.map((event, at) => ({sequence: at + 1, attempt: 0, time: 0, event}));
  const marks = stored.flatMap(({sequence, event}) =>
    event.kind === 'epoch-started' || event.kind === 'epoch-committed'
      ? [{sequence, kind: event.kind, epoch: event.epoch}]
      : [],
  );
  return {
    epochMarks: async () => marks,
    read: async (_: string, sequence: number, limit: number) =>
      structuredClone(stored.slice(sequence - 1, sequence - 1 + limit)).map(one => ({
        ...one,
        event: change(one.event),
      })),
  } as unknown as EventLog;
}

async function build(log: EventLog, threadFrom: number) {
  const shape = mapShape({numInstances, numEpochs, numClasses}, {metrics});
  return await mapFromLog(log, {runId: 'any', epochs: await committedEpochs(log, 'any'), labels}, shape, threadFrom);
}

const places = {'in this thread': Number.POSITIVE_INFINITY, 'in a thread of its own': 0};

for (const [where, threadFrom] of Object.entries(places)) {
  test(`a log gives the map of its columns in memory to the last bit, ${where}`, async () => {
    const inMemory = buildDataMap({instances: labels, labels, epochs}, {metrics});
    assert.deepEqual(await build(logOf(), threadFrom), inMemory);
  });

  test(`a log that lacks a chunk, or whose columns are not those that were committed, gives no map, ${where}`, async () => {
    const changed = logOf(event => {
      if (event.kind === 'chunk' && event.epoch === 3 && event.chunkIndex === 1) event.pTrue[7] = 0.125;
      return event;
    });
    await assert.rejects(
      build(changed, threadFrom),
      /^Error: The log of a run is damaged: the digest of epoch 3 must be/,
    );
    const lacking = logOf(event =>
      event.kind === 'chunk' && event.epoch === 1 && event.chunkIndex === 2 ? {...event, chunkIndex: 1} : event,
    );
    await assert.rejects(build(lacking, threadFrom), {
      message: 'The log of a run is damaged: chunk 2 of epoch 1 is not there',
    });
  });
}

test('a thread that cannot go on tells why, and nothing waits for it', async () => {
  const bits = {buffer: new ArrayBuffer(8), length: -1} as unknown as Uint8Array;
  const broken = logOf(event => (event.kind === 'chunk' ? {...event, correctBits: bits} : event));
  await assert.rejects(build(broken, 0), {message: 'Invalid typed array length: -2'});
});
