// A checked request in, a durable run in PENDING out: once for each request id, and only while the queue has room.
import {randomUUID} from 'node:crypto';
import {resolveModel} from '../data/model-reference.js';
import {FtftError, invalidFields} from '../errors.js';
import {checkModel} from '../pipeline/check-model.js';
import type {EncoderShape} from '../pipeline/cost.js';
import type {Method} from '../pipeline/methods.js';
import type {MainCreation, RunCreation} from './api.js';
import type {DataMaps} from './data-maps.js';
import type {Datasets} from './datasets.js';
import type {CostEstimates} from './estimate-cost.js';
import {mapOfMethod, mapWarnings} from './map-of-method.js';
import {notFound, requestIdReused} from './not-found.js';
import {warned} from './run-changes.js';
import type {Change, Store, StoredRun} from './store.js';
import {checkMapServes, checkSelected, planTraining, type TrainingPlan} from './training-request.js';
import type {DataMapRecord, DatasetRecord, RunRecord, StoredEvent, TrainingSpec} from './types.js';

export interface AcceptOptions {
  modelDir: string;
  isOffline: boolean;
  hubToken: string | undefined;
  hubUrl?: string;
  maxPendingRuns: number;
  /** Of those that one caller started; as many as there is room for when undefined. */
  maxPendingRunsPerCaller?: number;
}

/** A model that can be used as it was asked for. */
export interface CheckedModel {
  folder: string;
  shape: EncoderShape;
  /** Of the checkpoint. */
  allLayers: number;
}

/** What a run needs beside its plan. */
interface Ingredients {
  kind: 'REFERENCE' | 'MAIN';
  model: CheckedModel;
  method?: Method;
  map?: DataMapRecord;
}

export class RunAcceptance {
  constructor(
    private readonly store: Store,
    private readonly datasets: Datasets,
    private readonly dataMaps: DataMaps,
    private readonly estimates: CostEstimates,
    private readonly options: AcceptOptions,
    private readonly onAppended: (run: RunRecord, events: StoredEvent[]) => void,
  ) {}

  async reference(creation: RunCreation): Promise<RunRecord> {
    const what = 'Cannot train a reference model';
    const repeated = await this.findRepeated(what, creation);
    if (repeated) return repeated;
    const dataset = await this.findDataset(creation);
    const plan = planTraining(what, creation, {dataset}, 'REFERENCE');
    const model = await this.checkedModel(plan.spec, dataset ?? (await this.datasets.get(plan.spec.dataset)));
    return await this.accept(what, creation, plan, {kind: 'REFERENCE', model});
  }

  async main(creation: MainCreation): Promise<RunRecord> {
    const what = 'Cannot fine-tune the main model';
    const repeated = await this.findRepeated(what, creation);
    if (repeated) return repeated;
    const {method, dataMap} = creation;
    const dataset = await this.findDataset(creation);
    const given = dataMap === '' ? undefined : await this.findMap(dataMap);
    const isErm = method === 'erm';
    const {spec} = planTraining(what, creation, {dataset, map: isErm ? undefined : given, main: creation}, 'MAIN');
    if (!given && !(isErm && dataMap === '')) throw notFound('DataMap', dataMap);
    const found = dataset ?? (await this.datasets.get(spec.dataset));
    if (given && !isErm) checkMapServes(what, given, spec);
    const model = await this.checkedModel(spec, found);
    const map = isErm || !given ? undefined : await this.mapOf(what, given, creation, model);
    if (map) checkSelected(what, map);
    const plan = planTraining(what, creation, {dataset, map, main: creation}, 'MAIN');
    return await this.accept(what, creation, plan, {kind: 'MAIN', model, method, map});
  }

  /** The map given, or the one that selects what the method does. */
  private async mapOf(what: string, given: DataMapRecord, creation: MainCreation, model: CheckedModel) {
    const {method, spec, validateOnly} = creation;
    if (!method || method === 'erm') return given;
    const reference = (await this.store.runs.get(given.run))?.run;
    const main = {model: spec.model, layers: spec.layers ?? 0, allLayers: model.allLayers, seed: spec.seed ?? 0};
    const wanted = mapOfMethod(what, method, given, reference, main);
    return wanted ? await this.dataMaps.build({...wanted, validateOnly}) : given;
  }

  private async findRepeated(what: string, {request}: RunCreation): Promise<RunRecord | undefined> {
    const found = request && (await this.store.runs.findByRequest(request.id));
    if (!found) return undefined;
    if (found.digest !== request.digest) throw requestIdReused(what);
    return (await this.store.runs.get(found.runId))?.run;
  }

  private async findDataset({spec}: RunCreation): Promise<DatasetRecord | undefined> {
    return spec.dataset === '' ? undefined : await found(this.datasets.get(spec.dataset));
  }

  private findMap(id: string): Promise<DataMapRecord | undefined> {
    return found(this.dataMaps.get(id));
  }

  private async checkedModel(spec: TrainingSpec, {classNames}: DatasetRecord): Promise<CheckedModel> {
    const {modelDir, isOffline, hubToken: token, hubUrl} = this.options;
    let folder = '';
    try {
      folder = await resolveModel(spec.model, {modelDir, isOffline, token, hubUrl});
      const use = {layers: spec.layers || undefined, numClasses: classNames.length, maxLength: spec.maxLength};
      const {shape, config} = await checkModel(folder, use);
      return {folder, shape, allLayers: config.numHiddenLayers};
    } catch (error) {
      // The caller knows the model by its name, not by its place.
      if (folder && error instanceof FtftError) error.message = error.message.replaceAll(folder, spec.model);
      throw withFieldPaths(error);
    }
  }

  private async accept(
    what: string,
    creation: RunCreation,
    plan: TrainingPlan,
    ingredients: Ingredients,
  ): Promise<RunRecord> {
    const {kind, model, map} = ingredients;
    const time = Date.now();
    const id = creation.id ?? `${kind === 'REFERENCE' ? 'reference' : 'main'}-${randomUUID().slice(0, 8)}`;
    const run = newRun(id, creation, plan, ingredients, time);
    if (creation.validateOnly) {
      await this.checkRoom(what, creation.caller);
      if (!creation.wantsEstimate) return run;
      const instances = map && (await this.dataMaps.selectionOf(map));
      return {...run, costEstimate: await this.estimates.estimate({run, model, map, instances})};
    }
    const dataMapFile = map && (await this.dataMaps.file(map.id));
    const {stored, events} = await this.store.transaction(async () => {
      await this.store.lock('runs');
      const repeated = await this.findRepeated(what, creation);
      if (repeated) return {stored: repeated, events: []};
      await this.checkRoom(what, creation.caller);
      const work = {
        ...{modelFolder: model.folder, dataMapFile, scheduleSteps: plan.scheduleSteps},
        ...{pendingSince: time, keptAcceleratorMs: 0, keptEvaluations: []},
      };
      await this.store.runs.insert({run, work, lostLeases: 0}, creation.request);
      const append = (before: StoredRun): Change => {
        const {stored, events} = warned(before, map ? mapWarnings(map) : []);
        return {stored, events: [{kind: 'run-changed', run: stored.run}, ...events]};
      };
      const events = (await this.store.log.append({runId: id}, append)) ?? [];
      return {stored: (await this.store.runs.get(id))!.run, events};
    });
    if (events.length > 0) this.onAppended(stored, events);
    return stored;
  }

  private async checkRoom(what: string, caller: string | undefined): Promise<void> {
    const {maxPendingRuns, maxPendingRunsPerCaller} = this.options;
    const count = await this.store.runs.countUnfinished();
    if (count >= maxPendingRuns)
      throw queueFull(`${what}: the queue must have room, it holds ${count} unfinished runs`, maxPendingRuns);
    if (caller === undefined || maxPendingRunsPerCaller === undefined) return;
    const own = await this.store.runs.countUnfinished(caller);
    if (own >= maxPendingRunsPerCaller)
      throw queueFull(
        `${what}: the queue must have room for ${caller}, who has ${own} unfinished runs in it`,
        maxPendingRunsPerCaller,
      );
  }
}

function queueFull(found: string, limit: number): FtftError {
  return new FtftError('RESOURCE_EXHAUSTED', `${found} of ${limit} at most; wait for one to end, or cancel one`, {
    reason: 'QUEUE_FULL',
    retryAfterMs: 30_000,
    metadata: {limit: String(limit)},
  });
}

function newRun(
  id: string,
  {labels, traceParent, caller}: RunCreation,
  {spec, totalSteps, totalEpochs, earlyStopping}: TrainingPlan,
  {kind, method, map}: Ingredients,
  time: number,
): RunRecord {
  return {
    id,
    uid: randomUUID(),
    etag: '',
    kind,
    state: 'PENDING',
    spec,
    dataMap: map?.id,
    selection: map?.selection,
    attempt: 0,
    progress: {committedEpochs: 0, totalEpochs, steps: 0, totalSteps, keptSteps: 0, stoppedEarly: false},
    cost: {
      acceleratorMs: 0,
      wallMs: 0,
      queueMs: 0,
      trainedInstances: 0,
      trainedTokens: 0,
      flops: 0,
      wastedAcceleratorMs: 0,
    },
    evaluations: [],
    labels,
    createTime: time,
    updateTime: time,
    queuePosition: 0,
    caller,
    traceParent,
    ...(method && {method}),
    ...(earlyStopping && {earlyStopping}),
  };
}

/** Undefined instead of NOT_FOUND: field rules come first. */
async function found<T>(record: Promise<T>): Promise<T | undefined> {
  try {
    return await record;
  } catch (error) {
    if (error instanceof FtftError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Fields of a model reference as paths in the request. */
function withFieldPaths(error: unknown): unknown {
  if (!(error instanceof FtftError) || !error.details.violations) return error;
  const violations = error.details.violations.map(({field, description}) => ({
    field: field.startsWith('spec.') ? field : `spec.${field}`,
    description,
  }));
  return invalidFields('Cannot use the model', violations);
}
