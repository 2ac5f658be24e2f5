// Dynamics that were recorded elsewhere in; a run of kind IMPORTED with its whole log out, or nothing at all.
import {createHash, randomUUID} from 'node:crypto';
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {DynamicsOptions, ImportedDynamics, ImportedEpoch, KnownInstances} from '../data/dynamics-import.js';
import {readDynamicsLog} from '../data/dynamics-log.js';
import {readDynamicsTable} from '../data/dynamics-table.js';
import {FtftError, invalidFields} from '../errors.js';
import {argMax, crossEntropy, goldProbability} from '../pipeline/logits.js';
import type {EpochDynamics} from '../pipeline/types.js';
import type {DynamicsCreation, DynamicsPart} from './api.js';
import {digestOf, toChunks} from './committed-epochs.js';
import type {Datasets} from './datasets.js';
import {FieldRules, shown} from './field-rules.js';
import {notFound, requestIdReused} from './not-found.js';
import type {RunInstances} from './run-instances.js';
import {readSplitFile} from './split-file.js';
import type {Store} from './store.js';
import type {DatasetRecord, LogEvent, RunRecord, StoredEvent} from './types.js';

const what = 'Cannot import dynamics';
const maxImportBytes = 2 ** 33;
/** Less is no float32: what a probability of 0 counts as in the loss. */
const leastProbability = 2 ** -149;

export class DynamicsImports {
  constructor(
    private readonly store: Store,
    private readonly datasets: Datasets,
    private readonly instances: RunInstances,
    /** Where a Parquet file lies while it is read. */
    private readonly temporaryFolder: string,
    private readonly onAppended: (run: RunRecord, events: StoredEvent[]) => void,
  ) {}

  async import(
    creation: DynamicsCreation,
    parts: AsyncIterable<DynamicsPart>,
  ): Promise<{run: RunRecord; warnings: string[]}> {
    const known = await this.known(creation);
    const hash = createHash('sha256').update(creation.request?.digest ?? '');
    const dynamics = await read(creation, measured(parts, hash), {known, temporaryFolder: this.temporaryFolder});
    const epochs: EpochDynamics[] = [];
    const losses: number[] = [];
    for (const epoch of dynamics.epochs) {
      epochs.push(toDynamics(epoch, dynamics));
      losses.push(meanLoss(epoch, dynamics));
      await nextTurn();
    }
    const request = creation.request && {id: creation.request.id, digest: hash.digest('hex')};
    const run = newRun(creation, epochs.length);
    if (creation.validateOnly) return {run, warnings: dynamics.warnings};
    const kept = await this.keep({...creation, request}, run, dynamics, epochs, losses);
    return {run: kept, warnings: dynamics.warnings};
  }

  /** Everything that can be wrong before the first byte; the instances of the split, where one is named. */
  private async known(creation: DynamicsCreation): Promise<KnownInstances | undefined> {
    const {id, dataset: datasetId, trainSplit = 'train', labels, classNames} = creation;
    const rules = new FieldRules();
    rules.id('run_id', id);
    rules.labels(labels);
    const dataset = datasetId === undefined ? undefined : await this.datasets.find(datasetId);
    const names = dataset?.splits.map(({name}) => name) ?? [];
    if (dataset && !names.includes(trainSplit))
      rules.violate(
        'train_split',
        `must be a split of datasets/${dataset.id} (${names.join(', ')}), current value is ${shown(trainSplit)}`,
      );
    if (datasetId === undefined && creation.trainSplit !== undefined)
      rules.violate('train_split', 'must be left out where there is no dataset');
    const classOrder = checkedOrder(classNames, dataset, datasetId !== undefined, rules);
    if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
    if (datasetId === undefined) return undefined;
    if (!dataset) throw notFound('Dataset', datasetId);
    const indexOf = new Map<string, number>();
    const golds: number[] = [];
    for await (const {uid, label} of readSplitFile(await this.datasets.source(dataset.id, trainSplit))) {
      indexOf.set(uid, golds.length);
      golds.push(label);
    }
    const name = `datasets/${dataset.id}, split ${trainSplit}`;
    return {name, indexOf, labels: Int32Array.from(golds), classNames: dataset.classNames, classOrder};
  }

  /** In one transaction: the log is whole or not there. */
  private async keep(
    creation: DynamicsCreation,
    run: RunRecord,
    {guids, golds, numClasses}: ImportedDynamics,
    epochs: EpochDynamics[],
    losses: number[],
  ): Promise<RunRecord> {
    const {request} = creation;
    const {stored, events} = await this.store.transaction(async () => {
      await this.store.lock('runs');
      const found = request && (await this.store.runs.findByRequest(request.id));
      if (found && found.digest !== request?.digest) throw requestIdReused(what);
      if (found) return {stored: (await this.store.runs.get(found.runId))!.run, events: []};
      const work = {modelFolder: '', pendingSince: run.createTime, keptAcceleratorMs: 0, keptEvaluations: []};
      const {createTime} = await this.store.runs.insert({run, work, lostLeases: 0}, request);
      if (guids) await this.instances.put(run.id, {guids, labels: golds, numClasses});
      const append = async (more: LogEvent[], change: Partial<RunRecord> = {}) =>
        (await this.store.log.append({runId: run.id}, ({run: before, ...rest}) => ({
          stored: {...rest, run: {...before, ...change}},
          events: more,
        })))!;
      for (const [epoch, dynamics] of epochs.entries()) await append(epochEvents(epoch, dynamics, losses[epoch], run));
      const events = await append([{kind: 'run-changed', run}], {endTime: createTime});
      return {stored: (await this.store.runs.get(run.id))!.run, events};
    });
    if (events.length > 0) this.onAppended(stored, events);
    return stored;
  }
}

async function read(
  {format, dropPartialLastEpoch}: DynamicsCreation,
  parts: AsyncGenerator<DynamicsPart>,
  where: Pick<DynamicsOptions, 'known' | 'temporaryFolder'>,
): Promise<ImportedDynamics> {
  const options = {...where, dropPartialLastEpoch};
  if (format === 'cartography-jsonl') return await readDynamicsLog(logParts(parts), options);
  return await readDynamicsTable(tableParts(parts), format === 'p-true-csv' ? 'csv' : 'parquet', options);
}

async function* logParts(parts: AsyncIterable<DynamicsPart>) {
  for await (const {epoch, data} of parts) {
    if (epoch === undefined) throw wrongPart('table', 'log: the format has one log an epoch');
    yield {epoch, data};
  }
}

async function* tableParts(parts: AsyncIterable<DynamicsPart>) {
  for await (const {epoch, data} of parts) {
    if (epoch !== undefined) throw wrongPart('log', 'table: the format has one table of all epochs');
    yield data;
  }
}

function wrongPart(field: string, expected: string): FtftError {
  return invalidFields(what, [{field, description: `must be ${expected}`}]);
}

async function* measured(
  parts: AsyncIterable<DynamicsPart>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<DynamicsPart> {
  let size = 0;
  for await (const part of parts) {
    size += part.data.length;
    if (size > maxImportBytes)
      throw new FtftError('RESOURCE_EXHAUSTED', `${what}: expected at most ${maxImportBytes} bytes, found more`, {
        reason: 'MESSAGE_TOO_LARGE',
        metadata: {limit_bytes: String(maxImportBytes)},
      });
    hash.update(part.data);
    yield part;
  }
}

/** Class of the data set for each class of the import; undefined where the order is the same. */
function checkedOrder(
  names: string[],
  dataset: DatasetRecord | undefined,
  isOfDataset: boolean,
  rules: FieldRules,
): number[] | undefined {
  if (names.length === 0) return undefined;
  if (!isOfDataset) rules.violate('class_names', 'must be left out where there is no dataset');
  if (!dataset) return undefined;
  const order = names.map(name => dataset.classNames.indexOf(name));
  if (
    new Set(order).size === dataset.classNames.length &&
    order.length === dataset.classNames.length &&
    !order.includes(-1)
  )
    return order;
  rules.violate(
    'class_names',
    `must name each class of datasets/${dataset.id} once (${dataset.classNames.join(', ')}), current value is ${names.map(shown).join(', ')}`,
  );
  return undefined;
}

function toDynamics(epoch: ImportedEpoch, {golds, numClasses}: ImportedDynamics): EpochDynamics {
  if ('pTrue' in epoch) return {...epoch, logits: new Float32Array(0)};
  const {logits} = epoch;
  const pTrue = new Float32Array(golds.length);
  const isCorrect = new Uint8Array(golds.length);
  for (let i = 0; i < golds.length; i++) {
    pTrue[i] = goldProbability(logits, i * numClasses, numClasses, golds[i]);
    isCorrect[i] = Number(argMax(logits, i * numClasses, numClasses) === golds[i]);
  }
  return {pTrue, isCorrect, logits};
}

/** Mean cross-entropy, in doubles. */
function meanLoss(epoch: ImportedEpoch, {golds, numClasses}: ImportedDynamics): number {
  let sum = 0;
  if ('pTrue' in epoch) for (const p of epoch.pTrue) sum -= Math.log(Math.max(p, leastProbability));
  else for (let i = 0; i < golds.length; i++) sum += crossEntropy(epoch.logits, i * numClasses, numClasses, golds[i]);
  return sum / golds.length;
}

function epochEvents(epoch: number, dynamics: EpochDynamics, trainLoss: number, {cost}: RunRecord): LogEvent[] {
  const chunks = toChunks(epoch, dynamics);
  const committed: LogEvent = {
    kind: 'epoch-committed',
    ...{epoch, chunkCount: chunks.length, instanceCount: dynamics.pTrue.length},
    ...{digest: digestOf(dynamics), trainLoss, steps: 0, cost},
  };
  return [{kind: 'epoch-started', epoch}, ...chunks, committed];
}

/** What was trained and how is known only as far as the caller says. */
function newRun(
  {id, dataset, trainSplit, model, labels, traceParent, caller}: DynamicsCreation,
  numEpochs: number,
): RunRecord {
  const time = Date.now();
  return {
    id: id ?? `imported-${randomUUID().slice(0, 8)}`,
    uid: randomUUID(),
    etag: '',
    kind: 'IMPORTED',
    state: 'SUCCEEDED',
    spec: {
      dataset: dataset ?? '',
      trainSplit: dataset === undefined ? '' : (trainSplit ?? 'train'),
      evaluationSplits: [],
      ...{
        model,
        layers: 0,
        maxLength: 0,
        epochs: numEpochs,
        batchSize: 0,
        learningRate: 0,
        warmupRatio: 0,
        weightDecay: 0,
      },
      ...{precision: 'FLOAT32', seed: 0, evaluationIntervalSteps: 0, maxAttempts: 0, priority: 0},
    },
    attempt: 0,
    progress: {
      committedEpochs: numEpochs,
      totalEpochs: numEpochs,
      ...{steps: 0, totalSteps: 0, keptSteps: 0, stoppedEarly: false},
    },
    cost: {
      ...{acceleratorMs: 0, wallMs: 0, queueMs: 0, trainedInstances: 0, trainedTokens: 0},
      ...{flops: 0, wastedAcceleratorMs: 0},
    },
    evaluations: [],
    labels,
    createTime: time,
    endTime: time,
    updateTime: time,
    queuePosition: 0,
    caller,
    traceParent,
  };
}
