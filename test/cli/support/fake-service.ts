// An FtftService in memory that tells plausible tales: runs that go on by a step each time they are asked for, and logs to replay.
import {setTimeout as sleep} from 'node:timers/promises';
import {createServer, ServerError, Status} from 'nice-grpc';
import {BadRequest, ErrorInfo, errorDetailsServerMiddleware, RichServerError} from 'nice-grpc-error-details';
import {CompareDataMapsResponse, type DataMap, type DataMapBlock} from '../../../src/server/gen/ftft/v1/data_map.js';
import type {Dataset, ImportDatasetHeader} from '../../../src/server/gen/ftft/v1/dataset.js';
import type {ImportDynamicsRequest} from '../../../src/server/gen/ftft/v1/dynamics.js';
import {
  type DeepPartial,
  FtftServiceDefinition,
  type FtftServiceImplementation,
} from '../../../src/server/gen/ftft/v1/ftft_service.js';
import {Run, Run_Kind, Run_State, TrainingSpec} from '../../../src/server/gen/ftft/v1/run.js';
import {
  fakeBlock,
  fakeEvaluations,
  fakeInstances,
  fakeLog,
  fakeMap,
  type LoggedEvent,
  numInstances,
} from './fake-tale.js';

export interface FakeService {
  address: string;
  runs: Map<string, Run>;
  maps: Map<string, DataMap>;
  datasets: Map<string, Dataset>;
  imports: {header: ImportDatasetHeader; bytes: Buffer; pieces: number[]; starts: string[]}[];
  requests: {method: string; request: unknown}[];
  /** What becomes of blocks before they are sent. */
  blocks: {readDataMap(block: DataMapBlock): DataMapBlock};
  /** Logs by run name; made for each new run, and free to be replaced. */
  logs: Map<string, LoggedEvent[]>;
  /** What each next stream does: ends with this after so many messages. Empty: streams are whole. */
  cuts: {after: number; by: 'unavailable' | 'silence'}[];
  /** The state in which runs end. */
  ending: Run_State;
  /** Runs do not end by themselves. */
  isEndless: boolean;
  /** Runs end when they are first asked for. */
  isQuick: boolean;
  testInstances: number;
  modelUri: string;
  stop(): Promise<void>;
}

export function invalid(reason: string, message: string, fieldViolations: {field: string; description: string}[] = []) {
  return rich(Status.INVALID_ARGUMENT, reason, message, [BadRequest.fromPartial({fieldViolations})]);
}

function rich(code: Status, reason: string, message: string, more: BadRequest[] = []): RichServerError {
  return new RichServerError(code, message, [ErrorInfo.fromPartial({reason, domain: 'ftft.dev'}), ...more]);
}

function found<T>(map: Map<string, T>, name: string, reason: string): T {
  const value = map.get(name);
  if (value === undefined) throw rich(Status.NOT_FOUND, reason, `Cannot get ${name}: there is none`);
  return value;
}

export async function startFakeService(port = 0): Promise<FakeService> {
  const server = createServer().use(errorDetailsServerMiddleware);
  const fake: FakeService = {
    address: '',
    runs: new Map(),
    maps: new Map(),
    datasets: new Map(),
    imports: [],
    requests: [],
    blocks: {readDataMap: block => block},
    logs: new Map(),
    cuts: [],
    ending: Run_State.STATE_SUCCEEDED,
    isEndless: false,
    isQuick: false,
    testInstances: 500,
    modelUri: '',
    stop: async () => server.forceShutdown(),
  };
  server.add(FtftServiceDefinition, implementation(fake));
  fake.address = `127.0.0.1:${await server.listen(`127.0.0.1:${port}`)}`;
  return fake;
}

export function addRun(
  fake: FakeService,
  id: string,
  kind: Run_Kind,
  spec: DeepPartial<TrainingSpec>,
  more: DeepPartial<Run> = {},
): Run {
  const totalSteps = more.progress?.totalSteps ?? 128;
  const run = Run.fromPartial({
    name: `runs/${id}`,
    etag: '1',
    kind,
    state: Run_State.STATE_PENDING,
    spec: TrainingSpec.fromPartial({epochs: 4, ...spec}),
    attempt: 1,
    queuePosition: 1,
    createTime: new Date('2026-03-01T12:00:00Z'),
    ...more,
    progress: {totalSteps, totalEpochs: 4, ...more.progress},
  });
  fake.runs.set(run.name, run);
  fake.logs.set(run.name, fakeLog(run));
  return run;
}

/** Pending, then eight steps of progress, then its end. */
function goOn(fake: FakeService, run: Run): void {
  const progress = run.progress!;
  run.etag = String(Number(run.etag) + 1);
  if (fake.isQuick) {
    progress.steps = progress.totalSteps;
    end(fake, run);
  } else if (run.state === Run_State.STATE_CANCELLING) run.state = Run_State.STATE_CANCELLED;
  else if (run.state === Run_State.STATE_PENDING) [run.state, run.queuePosition] = [Run_State.STATE_RUNNING, 0];
  else if (progress.steps < progress.totalSteps) {
    progress.steps = Math.min(progress.totalSteps, progress.steps + Math.ceil(progress.totalSteps / 4));
    progress.trainLoss = 0.7 - (0.4 * progress.steps) / progress.totalSteps;
    progress.estimatedRemaining = {seconds: progress.totalSteps - progress.steps, nanos: 0};
  } else if (!fake.isEndless) end(fake, run);
}

function end(fake: FakeService, run: Run): void {
  run.state = fake.ending;
  const share = run.kind === Run_Kind.KIND_MAIN ? 1 / 3 : run.spec!.layers > 0 ? 1 / 2 : 1;
  run.cost = Run.fromPartial({cost: {acceleratorTime: {seconds: Math.floor(90 * share), nanos: 5e8}}}).cost;
  if (fake.ending === Run_State.STATE_FAILED) {
    const info = ErrorInfo.encode(ErrorInfo.fromPartial({reason: 'LOSS_NOT_FINITE'})).finish();
    const details = [{typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(info)}];
    run.error = {code: 9, message: 'The loss was NaN at step 17', details};
    return;
  }
  run.evaluations = fakeEvaluations(run, share, fake.testInstances);
}

function implementation(fake: FakeService): FtftServiceImplementation {
  const note = (method: string, request: unknown) => fake.requests.push({method, request});
  const none = async () => {
    throw new ServerError(Status.UNIMPLEMENTED, 'No part of this tale');
  };
  return {
    getDataset: async ({name}) => found(fake.datasets, name, 'DATASET_NOT_FOUND'),
    async *readInstances(request) {
      note('readInstances', request);
      for (let first = 0; first < numInstances; first += 4)
        yield {block: fakeInstances(first, Math.min(4, numInstances - first), request.includeTexts)};
    },
    listDatasets: none,
    async importDynamics(requests) {
      const parts: ImportDynamicsRequest[] = [];
      for await (const request of requests) {
        if (!request.part) throw invalid('INVALID_FIELD', 'Cannot import: part must be set');
        parts.push(request);
      }
      note('importDynamics', parts);
      const run = addRun(fake, 'imported', Run_Kind.KIND_IMPORTED, {dataset: 'datasets/demo', trainSplit: 'train'});
      return {run: {...run, progress: {...run.progress!, committedEpochs: 2}}, warnings: ['epoch 2 was dropped']};
    },
    async deleteRun(request) {
      note('deleteRun', request);
      if (!fake.runs.delete(request.name) && !request.allowMissing) found(fake.runs, request.name, 'RUN_NOT_FOUND');
      return {};
    },
    async suspendRun({name}) {
      note('suspendRun', {name});
      const run = found(fake.runs, name, 'RUN_NOT_FOUND');
      run.state = Run_State.STATE_SUSPENDING;
      return run;
    },
    async resumeRun({name}) {
      note('resumeRun', {name});
      const run = found(fake.runs, name, 'RUN_NOT_FOUND');
      run.state = Run_State.STATE_PENDING;
      return run;
    },
    async listDataMaps(request) {
      note('listDataMaps', request);
      const [all, from] = [[...fake.maps.values()], Number(request.pageToken || 0)];
      const nextPageToken = from + 1 < all.length ? String(from + 1) : '';
      return {dataMaps: all.slice(from, from + 1), nextPageToken};
    },
    async compareDataMaps(request) {
      note('compareDataMaps', request);
      return CompareDataMapsResponse.fromPartial({instanceCount: 10, confidenceSpearman: 0.5});
    },
    async importDataset(requests, {signal}) {
      let header: ImportDatasetHeader | undefined;
      const pieces: Buffer[] = [];
      const starts: string[] = [];
      for await (const {part} of requests)
        if (part?.$case === 'header') header = part.value;
        else if (part?.$case === 'data') pieces.push(part.value);
        else if (part?.$case === 'fileStart') starts.push(part.value.fileName);
        else throw invalid('INVALID_FIELD', 'Cannot import: part must be set');
      // A stream that its client breaks off ends like a whole one.
      await sleep(0);
      signal.throwIfAborted();
      const bytes = Buffer.concat(pieces);
      fake.imports.push({header: header!, bytes, pieces: pieces.map(piece => piece.length), starts});
      const lines = bytes.toString('utf8').trimEnd().split('\n').length;
      const bad = {field: 'data[line 2].label', description: 'must be one of negative, positive, current value is odd'};
      if (bytes.includes('"label": "odd"'))
        throw invalid('ROWS_INVALID', `Cannot import: ${bad.field} ${bad.description}`, [bad]);
      const {dataset: name, split: splitName, outOfDistribution, classLabels} = header!;
      const split = {
        ...{name: splitName, outOfDistribution, instanceCount: lines, classCounts: [0, lines]},
        ...{digest: '', createTime: undefined, columns: undefined},
      };
      const before = fake.datasets.get(name);
      const dataset: Dataset = {
        name,
        uid: '',
        classNames: before?.classNames ?? classLabels.map(label => label.name),
        textPairs: false,
        splits: [...(before?.splits ?? []), split],
        createTime: undefined,
        updateTime: undefined,
      };
      fake.datasets.set(name, dataset);
      return {dataset, split, warnings: bytes.includes('"twice"') ? ['2 texts stand twice'] : []};
    },
    async trainReference(request) {
      note('trainReference', request);
      const {labels} = request;
      if (request.spec!.epochs === 1)
        throw invalid('INVALID_FIELD', 'Cannot train: spec.epochs must be at least 2', []);
      return {
        run: addRun(fake, request.runId || `run-${fake.runs.size + 1}`, Run_Kind.KIND_REFERENCE, request.spec!, {
          labels,
        }),
      };
    },
    async fineTuneMain(request) {
      note('fineTuneMain', request);
      const {dataMap, labels} = request;
      const more = {dataMap, labels, progress: {totalSteps: 42}, modelUri: fake.modelUri};
      return {run: addRun(fake, request.runId || `run-${fake.runs.size + 1}`, Run_Kind.KIND_MAIN, request.spec!, more)};
    },
    async buildDataMap(request) {
      note('buildDataMap', request);
      const dataMap = fakeMap(
        `dataMaps/${request.dataMapId || `map-${fake.maps.size + 1}`}`,
        found(fake.runs, request.run, 'RUN_NOT_FOUND'),
        request.selection,
      );
      fake.maps.set(dataMap.name, dataMap);
      return {dataMap};
    },
    getDataMap: async ({name}) => found(fake.maps, name, 'DATA_MAP_NOT_FOUND'),
    async *readDataMap({name}) {
      const {instanceCount} = found(fake.maps, name, 'DATA_MAP_NOT_FOUND');
      for (let first = 0; first < instanceCount; first += 7)
        yield {block: fake.blocks.readDataMap(fakeBlock(first, Math.min(7, instanceCount - first)))};
    },
    getRun: async ({name}) => found(fake.runs, name, 'RUN_NOT_FOUND'),
    async listRuns({pageSize, pageToken}) {
      const [all, from] = [[...fake.runs.values()], Number(pageToken || 0)];
      const size = Math.min(pageSize || 50, 2);
      return {runs: all.slice(from, from + size), nextPageToken: from + size < all.length ? String(from + size) : ''};
    },
    async waitRun({name}) {
      const run = found(fake.runs, name, 'RUN_NOT_FOUND');
      goOn(fake, run);
      await sleep(1);
      return run;
    },
    async cancelRun({name}) {
      note('cancelRun', {name});
      const run = found(fake.runs, name, 'RUN_NOT_FOUND');
      if (run.state === Run_State.STATE_SUCCEEDED)
        throw rich(Status.FAILED_PRECONDITION, 'RUN_NOT_CANCELLABLE', `Cannot cancel ${name}: it has succeeded`);
      run.state = Run_State.STATE_CANCELLING;
      return run;
    },
    async *streamDynamics(request, {signal}) {
      note('streamDynamics', request);
      const log = found(fake.logs, request.name, 'RUN_NOT_FOUND');
      const from = request.start?.$case === 'resumeToken' ? Number(request.start.value.slice('token-'.length)) : 0;
      const cut = fake.cuts.shift();
      for (const [sent, message] of log.filter(event => event.place > from).entries()) {
        if (cut && sent === cut.after) {
          if (cut.by === 'silence') return;
          throw new ServerError(Status.UNAVAILABLE, 'Connection dropped');
        }
        signal.throwIfAborted();
        yield {
          resumeToken: `token-${message.place}`,
          sequence: message.isMark ? 0 : message.place,
          attempt: 1,
          event: message.event,
        };
      }
      if (fake.isEndless) await sleep(60_000, undefined, {signal});
    },
  };
}
