// Runs in memory: records are put in by tests, logs grow by append, and nothing trains.
import {EventEmitter, once} from 'node:events';
import {FtftError} from '../../src/errors.js';
import type {Creation, DynamicsCreation, DynamicsPart, EventRange, ImportHeader, Runs} from '../../src/runs/api.js';
import type {RunInstance} from '../../src/runs/run-instances.js';
import {isTerminal} from '../../src/runs/run-state.js';
import type {DataMapRecord, DatasetRecord, LogEvent, RunRecord, StoredEvent} from '../../src/runs/types.js';
import {dataMapColumns, dataMapComparison, datasetRecord, runRecord, time} from './records.js';

export class FakeRuns implements Runs {
  readonly datasets = new Map<string, DatasetRecord>();
  readonly records = new Map<string, RunRecord>();
  readonly maps = new Map<string, DataMapRecord>();
  readonly instances = new Map<string, RunInstance[]>();
  readonly logs = new Map<string, StoredEvent[]>();
  /** Arguments of the calls that make something, in order. */
  readonly calls: unknown[] = [];
  /** Thrown by the next call of the method of this name. */
  readonly faults = new Map<string, Error>();
  /** Says by name which call has arrived. */
  readonly asked = new EventEmitter();
  /** Log events that readers took, all together. */
  numHandedOut = 0;
  private readonly changes = new EventEmitter().setMaxListeners(0);
  private readonly key = Buffer.alloc(32, 7);

  append(id: string, event: LogEvent, attempt = 1): void {
    const log = this.logs.get(id) ?? [];
    log.push({sequence: log.length + 1, attempt, time: time + log.length, event});
    this.logs.set(id, log);
    if (event.kind === 'run-changed') this.records.set(id, event.run);
    this.changes.emit(id);
  }

  appendAll(id: string, events: LogEvent[]): void {
    for (const event of events) this.append(id, event);
  }

  async importDataset(header: ImportHeader, files: AsyncIterable<Uint8Array | {fileName: string}>) {
    this.fail('importDataset');
    const parts: Uint8Array[] = [];
    for await (const part of files) parts.push(part instanceof Uint8Array ? part : Buffer.from(`<${part.fileName}>`));
    this.calls.push({header, text: Buffer.concat(parts).toString()});
    const dataset = datasetRecord(header.dataset);
    this.datasets.set(dataset.id, dataset);
    return {dataset, split: dataset.splits[0], warnings: ['line 3: the text is empty']};
  }

  async getDataset(id: string): Promise<DatasetRecord> {
    this.fail('getDataset');
    return found(this.datasets, id, 'Dataset', 'datasets', 'DATASET_NOT_FOUND');
  }

  async listDatasets(page: {pageSize: number; pageToken: string}) {
    this.calls.push(page);
    return {datasets: [...this.datasets.values()], nextPageToken: 'next'};
  }

  async trainReference(creation: Parameters<Runs['trainReference']>[0]): Promise<RunRecord> {
    return this.create('trainReference', creation, {kind: 'REFERENCE', traceParent: creation.traceParent});
  }

  async fineTuneMain(creation: Parameters<Runs['fineTuneMain']>[0]): Promise<RunRecord> {
    return this.create('fineTuneMain', creation, {kind: 'MAIN', dataMap: creation.dataMap});
  }

  async importDynamics(creation: DynamicsCreation, parts: AsyncIterable<DynamicsPart>) {
    this.fail('importDynamics');
    const read: string[] = [];
    for await (const {epoch, data} of parts) read.push(`${epoch}: ${data}`);
    this.calls.push({creation, read});
    const run = runRecord(creation.id ?? 'made', {kind: 'IMPORTED', state: 'SUCCEEDED'});
    return {run, warnings: ['epoch 1 was dropped']};
  }

  async checkDataMap(creation: Parameters<Runs['checkDataMap']>[0]): Promise<void> {
    this.calls.push(creation);
    this.fail('buildDataMap');
  }

  async buildDataMap(creation: Parameters<Runs['buildDataMap']>[0]): Promise<DataMapRecord> {
    this.fail('buildDataMap');
    this.calls.push(creation);
    return found(this.maps, creation.id ?? 'map', 'DataMap', 'dataMaps', 'DATA_MAP_NOT_FOUND');
  }

  async getRun(id: string): Promise<RunRecord> {
    this.fail('getRun');
    return this.runOf(id);
  }

  async listRuns(page: {pageSize: number; pageToken: string}, matches: (run: RunRecord) => boolean = () => true) {
    this.calls.push(page);
    return {runs: [...this.records.values()].filter(matches), nextPageToken: ''};
  }

  async waitRun(id: string, etag: string, timeoutMs: number, signal: AbortSignal): Promise<RunRecord> {
    this.asked.emit('waitRun');
    const end = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    while (this.runOf(id).etag === etag && !end.aborted) await once(this.changes, id, {signal: end}).catch(() => {});
    signal.throwIfAborted();
    return await this.getRun(id);
  }

  async cancelRun(id: string, etag: string): Promise<RunRecord> {
    this.calls.push({id, etag});
    this.fail('cancelRun');
    return await this.getRun(id);
  }

  async suspendRun(id: string, etag: string): Promise<RunRecord> {
    this.calls.push({suspend: id, etag});
    this.fail('suspendRun');
    return await this.getRun(id);
  }

  async resumeRun(id: string, etag: string): Promise<RunRecord> {
    this.calls.push({resume: id, etag});
    this.fail('resumeRun');
    return await this.getRun(id);
  }

  async deleteRun(id: string, options: {etag: string; allowMissing: boolean}): Promise<void> {
    this.calls.push({delete: id, ...options});
    this.fail('deleteRun');
  }

  async listDataMaps(page: {pageSize: number; pageToken: string}, run?: string) {
    this.calls.push({...page, run});
    return {dataMaps: [...this.maps.values()], nextPageToken: 'next'};
  }

  async getDataMap(id: string): Promise<DataMapRecord> {
    return found(this.maps, id, 'DataMap', 'dataMaps', 'DATA_MAP_NOT_FOUND');
  }

  async readDataMap(id: string) {
    return dataMapColumns((await this.getDataMap(id)).instanceCount);
  }

  async compareDataMaps(id: string, otherId: string) {
    this.calls.push({id, otherId});
    this.fail('compareDataMaps');
    return dataMapComparison;
  }

  async *readInstances(id: string): AsyncGenerator<RunInstance> {
    for (const instance of this.instances.get(id) ?? []) yield instance;
  }

  async lastSequence(id: string): Promise<number> {
    return this.logs.get(id)?.length ?? 0;
  }

  async *events(id: string, {start, signal}: EventRange): AsyncGenerator<StoredEvent | 'caught-up'> {
    const log = () => this.logs.get(id) ?? [];
    let isCaughtUp = false;
    for (let next = this.firstOf(id, start); ; next++) {
      while (next > log().length) {
        if (!isCaughtUp) yield 'caught-up';
        isCaughtUp = true;
        if (next <= log().length) break;
        if (isTerminal(this.runOf(id).state)) return;
        await once(this.changes, id, {signal});
      }
      this.numHandedOut++;
      yield log()[next - 1];
    }
  }

  tokenKey = (): Buffer => this.key;

  async countRuns() {
    return [...this.records.values()].map(({kind, state}) => ({kind, state, count: 1}));
  }

  private runOf(id: string): RunRecord {
    return found(this.records, id, 'Run', 'runs', 'RUN_NOT_FOUND');
  }

  private firstOf(id: string, start: EventRange['start']): number {
    const log = this.logs.get(id) ?? [];
    if ('sequence' in start) return start.sequence;
    if ('epoch' in start) {
      const first = log.find(({event}) => event.kind === 'epoch-started' && event.epoch === start.epoch);
      if (!first) throw new FtftError('OUT_OF_RANGE', 'no such epoch', {reason: 'EPOCH_NOT_REACHED'});
      return first.sequence;
    }
    if (start.position === 'earliest') return 1;
    if (start.position === 'latest') return log.length + 1;
    const committed = log.filter(({event}) => event.kind === 'epoch-committed').at(-1)?.event;
    return committed?.kind === 'epoch-committed' ? this.firstOf(id, {epoch: committed.epoch}) : 1;
  }

  private create(method: string, creation: Creation & {id?: string}, changes: Partial<RunRecord>): RunRecord {
    this.fail(method);
    this.calls.push(creation);
    const run = runRecord(creation.id ?? 'made', changes);
    if (!creation.validateOnly) this.append(run.id, {kind: 'run-changed', run}, 0);
    return run;
  }

  private fail(method: string): void {
    const fault = this.faults.get(method);
    this.faults.delete(method);
    if (fault) throw fault;
  }
}

function found<T>(
  map: Map<string, T>,
  id: string,
  type: 'Run' | 'Dataset' | 'DataMap',
  collection: string,
  reason: string,
): T {
  const value = map.get(id);
  if (value) return value;
  const name = `${collection}/${id}`;
  throw new FtftError('NOT_FOUND', `Cannot find ${name}: there is none`, {reason, resource: {type, name}});
}
