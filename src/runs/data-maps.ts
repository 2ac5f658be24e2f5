// A run's committed dynamics and a selection in; an immutable data map, its record and columns, out.
import {createHash} from 'node:crypto';
import {setImmediate as nextTurn} from 'node:timers/promises';
import {isDeepStrictEqual} from 'node:util';
import {FtftError} from '../errors.js';
import {mapShape} from '../pipeline/build-data-map.js';
import {countClasses, labelShift} from '../pipeline/class-balance.js';
import {clusterRows} from '../pipeline/cluster-sampling.js';
import {compareDataMaps, type DataMapComparison} from '../pipeline/compare-data-maps.js';
import {defaultThresholds, diagnose} from '../pipeline/diagnose.js';
import {metricsOf} from '../pipeline/instance-scores.js';
import {selectSubset} from '../pipeline/select-subset.js';
import type {DataMap, DiagnosticThresholds, Selection, Subset} from '../pipeline/types.js';
import type {DataMapCreation, Page} from './api.js';
import type {BlobStore} from './artifacts.js';
import {comparedMap, sameInstances} from './compared-maps.js';
import {type CommittedEpoch, committedEpochs, numLogitClasses} from './dynamics-blocks.js';
import {digestOf, encodeMap, readMapFile, selectedOf} from './map-columns.js';
import {mapFromLog} from './map-from-log.js';
import {checkCount, planSelection, what} from './map-request.js';
import {notFound, requestIdReused} from './not-found.js';
import {readPageBy} from './pages.js';
import {putNamed} from './put-named.js';
import type {RunInstances} from './run-instances.js';
import {isTerminal} from './run-state.js';
import type {SqlCatalog, StoredDataMap} from './sql-catalog.js';
import type {Store} from './store.js';
import type {DataMapColumns, DataMapRecord, RunRecord} from './types.js';

interface BuiltMap {
  map: DataMap;
  subset: Subset;
  labels: Int32Array;
  classNames: string[];
  epochs: CommittedEpoch[];
  scoreWindow: number;
}

export class DataMaps {
  private readonly thresholds: DiagnosticThresholds;

  constructor(
    private readonly catalog: SqlCatalog,
    private readonly files: BlobStore,
    private readonly store: Store,
    private readonly instances: RunInstances,
    thresholds: Partial<DiagnosticThresholds> = {},
  ) {
    this.thresholds = {...defaultThresholds, ...thresholds};
  }

  async build(creation: DataMapCreation): Promise<DataMapRecord> {
    const repeated = await this.findRepeated(creation);
    if (repeated) return repeated;
    const {run, selection} = await this.check(creation);
    const began = performance.now();
    const built = await this.buildMap(creation, selection, run);
    const {map, subset} = built;
    const isSelected = new Uint8Array(map.numInstances);
    for (let at = 0; at < subset.instances.length; at++) isSelected[subset.instances[at]] = 1;
    const {record, identity} = await this.describe(creation, selection, run, built, isSelected);
    if (creation.validateOnly) return record;
    const bytes = () => encodeMap(map, subset, isSelected, record.metrics ?? []);
    return await putNamed(this.files, bytes, file =>
      this.add({map: {...record, buildMs: performance.now() - began}, file, identity}, creation),
    );
  }

  /** The run and the selection with every default filled in. Reads no dynamics. */
  async check(creation: DataMapCreation): Promise<{run: RunRecord; selection: Selection}> {
    const run = (await this.store.runs.get(creation.run))?.run;
    const selection = planSelection(creation, run);
    if (!run) throw notFound('Run', creation.run);
    return {run, selection};
  }

  async get(id: string): Promise<DataMapRecord> {
    return (await this.stored(id)).map;
  }

  async list(page: Page, run?: string): Promise<{dataMaps: DataMapRecord[]; nextPageToken: string}> {
    const list = (limit: number, before?: number) => this.catalog.listDataMaps(limit, before, run);
    const {records, nextPageToken} = await readPageBy('Cannot list data maps', page, list, ({number}) => number);
    return {dataMaps: records.map(({map}) => map), nextPageToken};
  }

  /** Name of the columns file of a map that exists. */
  async file(id: string): Promise<string> {
    return (await this.stored(id)).file;
  }

  /** What a map selects, ascending; it may be one that was described and never kept. */
  async selectionOf(map: DataMapRecord): Promise<Int32Array> {
    const stored = await this.catalog.getDataMap(map.id);
    if (stored) return await this.selectedInstances(stored.file);
    const {run: id, epochs, variabilityEstimator, selection} = map;
    const {run} = (await this.store.runs.get(id))!;
    const creation = {run: id, epochs, variabilityEstimator, validateOnly: true};
    return (await this.buildMap(creation, selection, run)).subset.instances;
  }

  async read(id: string): Promise<DataMapColumns> {
    const {map, file} = await this.stored(id);
    const columns = await readMapFile(await this.files.fetch(file));
    return {...columns, instanceIds: await this.instanceIds(map)};
  }

  /** FAILED_PRECONDITION/DATA_MAPS_NOT_COMPARABLE unless both have the same instances. */
  async compare(id: string, otherId: string): Promise<DataMapComparison> {
    const [one, other] = [await this.stored(id), await this.stored(otherId)];
    const places = await sameInstances(one.map, other.map, map => this.instanceIds(map));
    const columns = await readMapFile(await this.files.fetch(one.file));
    const otherColumns = await readMapFile(await this.files.fetch(other.file));
    return compareDataMaps(comparedMap(one.map, columns), comparedMap(other.map, otherColumns, places));
  }

  /** Indices in the train split, ascending. */
  async selectedInstances(file: string): Promise<Int32Array> {
    return selectedOf(await readMapFile(await this.files.fetch(file)));
  }

  private async buildMap(creation: DataMapCreation, selection: Selection, run: RunRecord): Promise<BuiltMap> {
    const {log} = this.store;
    const committed = await committedEpochs(log, run.id);
    if (committed.length === 0) throw noCommittedEpochs(run);
    const numInstances = committed[0].instanceCount;
    checkCount(selection, numInstances);
    const metrics = [...metricsOf(selection.criterion), ...(creation.metrics ?? [])];
    const numClasses = await numLogitClasses(log, run.id, committed[0]);
    const shape = mapShape({numInstances, numEpochs: committed.length, numClasses}, {...creation, metrics});
    const epochs = committed.slice(shape.epochs.first, shape.epochs.last + 1);
    const {labels, classNames} = await this.instances.classes(run);
    const isBalanced = (selection.classBalance ?? 'none') !== 'none';
    if ((isBalanced || shape.needsLogits) && labels.includes(-1)) throw labelsNotKnown(run);
    const map = await mapFromLog(log, {runId: run.id, epochs, labels}, shape);
    const subset = selectSubset(map, selection, {labels, clusters: await clustersOf(map, selection)});
    return {map, subset, labels, classNames, epochs, scoreWindow: shape.scoreWindow};
  }

  private async describe(
    creation: DataMapCreation,
    selection: Selection,
    run: RunRecord,
    {map, subset, labels, classNames, epochs, scoreWindow}: BuiltMap,
    isSelected: Uint8Array,
  ): Promise<{record: DataMapRecord; identity: string}> {
    const classCounts = countClasses(labels, subset.instances, classNames.length);
    const inDistributionAccuracy = accuracyOf(run);
    const {thresholds} = this;
    const {metrics = [], scoreWindow: window} = creation;
    const content = {
      run: run.id,
      dataset: run.spec.dataset,
      trainSplit: run.spec.trainSplit,
      epochs: map.epochs,
      variabilityEstimator: map.variabilityEstimator,
      selection,
      digest: digestOf(map, isSelected),
      isFinal: isTerminal(run.state),
      ...(metrics.length > 0 && {metrics}),
      ...((metrics.length > 0 || window !== undefined) && {scoreWindow}),
      ...(!isDeepStrictEqual(thresholds, defaultThresholds) && {thresholds}),
    };
    const identity = createHash('sha256').update(JSON.stringify(content)).digest('hex');
    const record: DataMapRecord = {
      ...content,
      id: creation.id ?? `map-${identity.slice(0, 16)}`,
      instanceCount: map.numInstances,
      selectedCount: subset.instances.length,
      requestedCount: subset.requestedCount,
      ...(subset.threshold !== undefined && {threshold: subset.threshold}),
      thresholdTieCount: subset.thresholdTieCount,
      labelBalance: classNames.map((className, label) => ({
        className,
        selectedCount: classCounts.selected[label],
        instanceCount: classCounts.all[label],
      })),
      labelShift: labelShift(classCounts),
      ...(inDistributionAccuracy !== undefined && {inDistributionAccuracy}),
      epochDiagnostics: epochs.map(({epoch, trainLoss}, e) => ({epoch, trainLoss, ...map.epochMeans[e]})),
      diagnostics: diagnose(map, selection, {subset, classCounts, inDistributionAccuracy, thresholds}),
      scoreWindow,
      thresholds,
      createTime: Date.now(),
    };
    return {record, identity};
  }

  private async stored(id: string): Promise<StoredDataMap> {
    const stored = await this.catalog.getDataMap(id);
    if (!stored) throw notFound('DataMap', id);
    return stored;
  }

  private async findRepeated({request}: DataMapCreation): Promise<DataMapRecord | undefined> {
    const found = request && (await this.catalog.findDataMapByRequest(request.id));
    if (!found) return undefined;
    if (found.digest !== request.digest) throw requestIdReused(what);
    return await this.get(found.id);
  }

  /** The map as it is when there is an equal one; undefined where a file like its own is being removed. */
  private add(made: StoredDataMap, creation: DataMapCreation): Promise<DataMapRecord | undefined> {
    return this.catalog.transaction('data-maps', async () => {
      const repeated = await this.findRepeated(creation);
      if (repeated) return repeated;
      const existing = await this.catalog.getDataMap(made.map.id);
      if (existing?.identity === made.identity) return existing.map;
      if (existing) throw dataMapExists(made.map.id);
      if (await this.catalog.isDoomed('data-map', made.file)) return undefined;
      // Deleted meanwhile, it may have taken its instances with it.
      await this.store.runs.hold(creation.run);
      if (!(await this.store.runs.get(creation.run))) throw notFound('Run', creation.run);
      await this.catalog.addDataMap(made, creation.request);
      return made.map;
    });
  }

  private async instanceIds({run, dataset, trainSplit}: DataMapRecord): Promise<string[]> {
    const instanceIds: string[] = [];
    for await (const {uid} of this.instances.read({id: run, spec: {dataset, trainSplit}})) instanceIds.push(uid);
    return instanceIds;
  }
}

/** For a selection over clusters; the event loop turns while they are found. */
async function clustersOf(map: DataMap, {criterion, seed}: Selection): Promise<Int32Array | undefined> {
  if (!('clustered' in criterion)) return undefined;
  const rows = {values: map.scores['loss-trajectory']!, numRows: map.numInstances};
  const steps = clusterRows(rows, {...criterion.clustered, seed});
  for (;;) {
    const {done, value} = steps.next();
    if (done) return value;
    await nextTurn();
  }
}

/** Of the weights that the run keeps, mean over the splits in distribution. */
function accuracyOf({evaluations}: RunRecord): number | undefined {
  const inDistribution = evaluations.filter(({isOutOfDistribution}) => !isOutOfDistribution);
  if (inDistribution.length === 0) return undefined;
  return inDistribution.reduce((sum, {accuracy}) => sum + accuracy, 0) / inDistribution.length;
}

function noCommittedEpochs({id, state, progress}: RunRecord): FtftError {
  const found = progress.committedEpochs > 0 ? 'its dynamics have expired' : `it has none and is ${state}`;
  return new FtftError('FAILED_PRECONDITION', `${what}: runs/${id} must have a committed epoch, ${found}`, {
    reason: 'NO_COMMITTED_EPOCHS',
    resource: {type: 'Run', name: `runs/${id}`},
  });
}

function labelsNotKnown({id}: RunRecord): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `${what}: class-balanced selections and scores of logits need every instance's gold label, and some of runs/${id} were imported without; import them with a column gold, or with a dataset`,
    {reason: 'LABELS_NOT_KNOWN', resource: {type: 'Run', name: `runs/${id}`}},
  );
}

function dataMapExists(id: string): FtftError {
  return new FtftError('ALREADY_EXISTS', `${what}: dataMaps/${id} exists and has other content; take another name`, {
    reason: 'DATA_MAP_EXISTS',
    resource: {type: 'DataMap', name: `dataMaps/${id}`},
  });
}
