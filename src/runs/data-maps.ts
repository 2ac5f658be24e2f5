// A run's committed dynamics and a selection in; an immutable data map, its record and columns, out.
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {FtftError, invalidFields} from '../errors.js';
import {buildDataMap} from '../pipeline/build-data-map.js';
import {diagnose} from '../pipeline/diagnose.js';
import {selectSubset} from '../pipeline/select-subset.js';
import type {DataMap, Selection, Subset} from '../pipeline/types.js';
import type {DataMapCreation} from './api.js';
import {bytesOf, decodeColumns, encodeColumns, packBits} from './columns.js';
import {readCommittedEpochs} from './committed-epochs.js';
import {FieldRules} from './field-rules.js';
import type {FileStore} from './file-store.js';
import {notFound, requestIdReused} from './not-found.js';
import type {RunInstances} from './run-instances.js';
import {isTerminal} from './run-state.js';
import type {SqliteCatalog, StoredDataMap} from './sqlite-catalog.js';
import type {Store} from './store.js';
import type {DataMapColumns, DataMapRecord, RunRecord} from './types.js';

const what = 'Cannot build a data map';
const defaults: Selection = {
  criterion: {region: 'ambiguous'},
  fraction: 0.33,
  rule: 'upstream-quantile',
  seed: 0,
};

type MapColumns = Omit<DataMapColumns, 'instanceIds'>;

export class DataMaps {
  constructor(
    private readonly catalog: SqliteCatalog,
    private readonly files: FileStore,
    private readonly store: Store,
    private readonly instances: RunInstances,
  ) {}

  async build(creation: DataMapCreation): Promise<DataMapRecord> {
    const repeated = this.findRepeated(creation);
    if (repeated) return repeated;
    const selection: Selection = {...defaults, ...creation.selection};
    const run = this.check(creation, selection);
    const epochs = await readCommittedEpochs(this.store.log, run.id);
    if (epochs.length === 0) throw noCommittedEpochs(run);
    const instances = {length: epochs[0].pTrue.length};
    const map = buildDataMap({epochs, instances}, creation);
    const subset = selectSubset(map, selection);
    const isSelected = new Uint8Array(map.numInstances);
    for (const instance of subset.instances) isSelected[instance] = 1;
    const digest = digestOf(map, isSelected);
    const content = {
      run: run.id,
      dataset: run.spec.dataset,
      trainSplit: run.spec.trainSplit,
      epochs: map.epochs,
      variabilityEstimator: map.variabilityEstimator,
      selection,
      digest,
      isFinal: isTerminal(run.state),
    };
    const identity = createHash('sha256').update(JSON.stringify(content)).digest('hex');
    const record: DataMapRecord = {
      ...content,
      id: creation.id ?? `map-${identity.slice(0, 16)}`,
      instanceCount: map.numInstances,
      selectedCount: subset.instances.length,
      requestedCount: subset.requestedCount,
      threshold: subset.threshold,
      thresholdTieCount: subset.thresholdTieCount,
      labelBalance: await this.labelBalance(run, isSelected),
      diagnostics: diagnose(map, selection),
      createTime: Date.now(),
    };
    if (creation.validateOnly) return record;
    const file = await this.files.put([encodeMap(map, subset, isSelected)]);
    return this.add({map: record, file, identity}, creation);
  }

  get(id: string): DataMapRecord {
    return this.stored(id).map;
  }

  /** Name of the columns file of a map that exists. */
  file(id: string): string {
    return this.stored(id).file;
  }

  async read(id: string): Promise<DataMapColumns> {
    const {map, file} = this.stored(id);
    const columns = await this.columns(file);
    const instanceIds: string[] = [];
    for await (const {uid} of this.instances.read({id: map.run, spec: map})) instanceIds.push(uid);
    return {...columns, instanceIds};
  }

  private async columns(file: string): Promise<MapColumns> {
    return decodeColumns(await readFile(this.files.path(file))).columns as unknown as MapColumns;
  }

  /** Indices in the train split, ascending. */
  async selectedInstances(file: string): Promise<Int32Array> {
    const {isSelected} = await this.columns(file);
    const instances: number[] = [];
    isSelected.forEach((flag, instance) => {
      if (flag) instances.push(instance);
    });
    return Int32Array.from(instances);
  }

  private stored(id: string): StoredDataMap {
    const stored = this.catalog.getDataMap(id);
    if (!stored) throw notFound('DataMap', id);
    return stored;
  }

  private findRepeated({request}: DataMapCreation): DataMapRecord | undefined {
    const found = request && this.catalog.findDataMapByRequest(request.id);
    if (!found) return undefined;
    if (found.digest !== request.digest) throw requestIdReused(what);
    return this.get(found.id);
  }

  private check({id, run: runId}: DataMapCreation, {fraction, seed}: Selection): RunRecord {
    const rules = new FieldRules();
    rules.id('data_map_id', id);
    rules.number('selection.fraction', fraction, q => q > 0 && q <= 1, 'more than 0 and at most 1');
    rules.integer('selection.seed', seed, 0, 2 ** 32 - 1);
    const run = this.store.runs.get(runId)?.run;
    if (run?.kind === 'MAIN') rules.violate('run', 'must be a reference or an imported run, it is a main run');
    if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
    if (!run) throw notFound('Run', runId);
    return run;
  }

  /** The map as it is when there is an equal one. */
  private add(made: StoredDataMap, creation: DataMapCreation): DataMapRecord {
    return this.catalog.transaction(() => {
      const repeated = this.findRepeated(creation);
      if (repeated) return repeated;
      const existing = this.catalog.getDataMap(made.map.id);
      if (existing?.identity === made.identity) return existing.map;
      if (existing) throw dataMapExists(made.map.id);
      this.catalog.addDataMap(made, creation.request);
      return made.map;
    });
  }

  /** Instances whose label an import did not bring are in no class. */
  private async labelBalance(run: RunRecord, isSelected: Uint8Array): Promise<DataMapRecord['labelBalance']> {
    const balance = this.instances.classNames(run).map(className => ({className, selectedCount: 0, instanceCount: 0}));
    let instance = 0;
    for await (const {label} of this.instances.read(run)) {
      const share = balance[label];
      if (share) {
        share.instanceCount++;
        share.selectedCount += isSelected[instance];
      }
      instance++;
    }
    return balance;
  }
}

function digestOf({confidence, variability, correctness, forgettingEvents}: DataMap, isSelected: Uint8Array): string {
  const hash = createHash('sha256');
  for (const column of [confidence, variability, correctness, forgettingEvents, packBits(isSelected)])
    hash.update(bytesOf(column));
  return hash.digest('hex');
}

function encodeMap(map: DataMap, {scores = new Float32Array(0)}: Subset, isSelected: Uint8Array): Buffer {
  const {confidence, variability, correctness, forgettingEvents} = map;
  return encodeColumns({}, {confidence, variability, correctness, forgettingEvents, isSelected, scores});
}

function noCommittedEpochs({id, state}: RunRecord): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `${what}: runs/${id} must have a committed epoch, it has none and is ${state}`,
    {reason: 'NO_COMMITTED_EPOCHS', resource: {type: 'Run', name: `runs/${id}`}},
  );
}

function dataMapExists(id: string): FtftError {
  return new FtftError('ALREADY_EXISTS', `${what}: dataMaps/${id} exists and has other content; take another name`, {
    reason: 'DATA_MAP_EXISTS',
    resource: {type: 'DataMap', name: `dataMaps/${id}`},
  });
}
