// A checked request in, a durable run in PENDING out: once for each request id, and only while the queue has room.
import {randomUUID} from 'node:crypto';
import {resolveModel} from '../data/model-reference.js';
import {FtftError, invalidFields} from '../errors.js';
import {checkModel} from '../pipeline/check-model.js';
import type {RunCreation} from './api.js';
import type {DataMaps} from './data-maps.js';
import type {Datasets} from './datasets.js';
import {notFound, requestIdReused} from './not-found.js';
import type {Store} from './store.js';
import {checkMapServes, planTraining, type StepBudget, type TrainingPlan} from './training-request.js';
import type {DatasetRecord, RunRecord, StoredEvent} from './types.js';

export interface AcceptOptions {
  modelDir: string;
  isOffline: boolean;
  hubToken: string | undefined;
  maxPendingRuns: number;
}

interface MainCreation extends RunCreation {
  dataMap: string;
  budget?: StepBudget;
}

/** What a run needs beside its plan. */
interface Ingredients {
  kind: 'REFERENCE' | 'MAIN';
  modelFolder: string;
  dataMap?: string;
  dataMapFile?: string;
}

export class RunAcceptance {
  constructor(
    private readonly store: Store,
    private readonly datasets: Datasets,
    private readonly dataMaps: DataMaps,
    private readonly options: AcceptOptions,
    private readonly onAppended: (run: RunRecord, events: StoredEvent[]) => void,
  ) {}

  async reference(creation: RunCreation): Promise<RunRecord> {
    const what = 'Cannot train a reference model';
    const repeated = this.findRepeated(what, creation);
    if (repeated) return repeated;
    const dataset = this.findDataset(creation);
    const plan = planTraining(what, creation, {dataset}, 'REFERENCE');
    const modelFolder = await this.checkedModel(plan, dataset ?? this.datasets.get(plan.spec.dataset));
    return this.accept(what, creation, plan, {kind: 'REFERENCE', modelFolder});
  }

  async main(creation: MainCreation): Promise<RunRecord> {
    const what = 'Cannot fine-tune the main model';
    const repeated = this.findRepeated(what, creation);
    if (repeated) return repeated;
    const dataset = this.findDataset(creation);
    const map = creation.dataMap === '' ? undefined : this.findMap(creation.dataMap);
    const plan = planTraining(what, creation, {dataset, map, budget: creation.budget}, 'MAIN');
    if (!map) throw notFound('DataMap', creation.dataMap);
    const found = dataset ?? this.datasets.get(plan.spec.dataset);
    checkMapServes(what, map, plan.spec);
    const modelFolder = await this.checkedModel(plan, found);
    const dataMapFile = this.dataMaps.file(map.id);
    return this.accept(what, creation, plan, {kind: 'MAIN', modelFolder, dataMap: map.id, dataMapFile});
  }

  private findRepeated(what: string, {request}: RunCreation): RunRecord | undefined {
    const found = request && this.store.runs.findByRequest(request.id);
    if (!found) return undefined;
    if (found.digest !== request.digest) throw requestIdReused(what);
    return this.store.runs.get(found.runId)?.run;
  }

  private findDataset({spec}: RunCreation): DatasetRecord | undefined {
    return spec.dataset === '' ? undefined : found(() => this.datasets.get(spec.dataset));
  }

  private findMap(id: string) {
    return found(() => this.dataMaps.get(id));
  }

  private async checkedModel({spec}: TrainingPlan, {classNames}: DatasetRecord): Promise<string> {
    const {modelDir, isOffline, hubToken: token} = this.options;
    try {
      const folder = await resolveModel(spec.model, {modelDir, isOffline, token});
      const use = {layers: spec.layers || undefined, numClasses: classNames.length, maxLength: spec.maxLength};
      await checkModel(folder, use);
      return folder;
    } catch (error) {
      throw withFieldPaths(error);
    }
  }

  private accept(what: string, creation: RunCreation, plan: TrainingPlan, ingredients: Ingredients): RunRecord {
    const {kind, modelFolder, dataMap, dataMapFile} = ingredients;
    const time = Date.now();
    const id = creation.id ?? `${kind === 'REFERENCE' ? 'reference' : 'main'}-${randomUUID().slice(0, 8)}`;
    const run = newRun(id, creation, plan, {kind, dataMap, time});
    if (creation.validateOnly) {
      this.checkRoom(what);
      return run;
    }
    const {stored, events} = this.store.transaction(() => {
      const repeated = this.findRepeated(what, creation);
      if (repeated) return {stored: repeated, events: []};
      this.checkRoom(what);
      const work = {modelFolder, dataMapFile, pendingSince: time, keptAcceleratorMs: 0, keptEvaluations: []};
      this.store.runs.insert({run, work, lostLeases: 0}, creation.request);
      const change = {kind: 'run-changed', run} as const;
      const events = this.store.log.append({runId: id}, stored => ({stored, events: [change]})) ?? [];
      return {stored: this.store.runs.get(id)!.run, events};
    });
    if (events.length > 0) this.onAppended(stored, events);
    return stored;
  }

  private checkRoom(what: string): void {
    const {maxPendingRuns} = this.options;
    const count = this.store.runs.countUnfinished();
    if (count < maxPendingRuns) return;
    throw new FtftError(
      'RESOURCE_EXHAUSTED',
      `${what}: the queue must have room, it holds ${count} unfinished runs of ${maxPendingRuns} at most; wait for one to end, or cancel one`,
      {reason: 'QUEUE_FULL', retryAfterMs: 30_000, metadata: {limit: String(maxPendingRuns)}},
    );
  }
}

function newRun(
  id: string,
  {labels, traceParent}: RunCreation,
  {spec, totalSteps, totalEpochs}: TrainingPlan,
  {kind, dataMap, time}: Pick<Ingredients, 'kind' | 'dataMap'> & {time: number},
): RunRecord {
  return {
    id,
    uid: randomUUID(),
    etag: '',
    kind,
    state: 'PENDING',
    spec,
    dataMap,
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
    traceParent,
  };
}

/** Undefined instead of NOT_FOUND: field rules come first. */
function found<T>(get: () => T): T | undefined {
  try {
    return get();
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
