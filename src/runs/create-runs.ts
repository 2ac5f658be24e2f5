// Folders and limits in; datasets, runs, data maps and events as the server calls them out.
import {randomBytes} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import {extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {defaultWarningThresholds} from '../pipeline/training-warnings.js';
import type {DiagnosticThresholds, WarningThresholds} from '../pipeline/types.js';
import {type AcceptOptions, RunAcceptance} from './accept-run.js';
import type {Runs} from './api.js';
import type {StepTelemetry} from './attempt-writer.js';
import {BlobSweep} from './blob-sweep.js';
import {changeRun} from './change-run.js';
import {DataMaps} from './data-maps.js';
import {Datasets} from './datasets.js';
import {deleteRun} from './delete-run.js';
import {DiskReserve} from './disk-reserve.js';
import {createEnergyMeter} from './energy-meter.js';
import {CostEstimates} from './estimate-cost.js';
import {readEvents} from './event-reader.js';
import {DynamicsImports} from './import-dynamics.js';
import {type Logger, silent} from './logger.js';
import {MeasuredCosts} from './measured-costs.js';
import {notFound} from './not-found.js';
import {type ArtifactOptions, openArtifacts} from './open-artifacts.js';
import {openDatabase} from './open-database.js';
import {isDeadOwner, newOwner, releaseOwner} from './owner.js';
import {readMatchingPage, readPage} from './pages.js';
import {RateSources} from './rate-sources.js';
import {Removals} from './removals.js';
import {type Retention, RetentionJob} from './retention.js';
import {RunInstances} from './run-instances.js';
import {runModel} from './run-model.js';
import {isTerminal} from './run-state.js';
import {Runner} from './runner.js';
import {SqlCatalog} from './sql-catalog.js';
import {createSqlStore} from './sql-store.js';
import {SqlSweep} from './sql-sweep.js';
import type {RunRecord, StoredEvent} from './types.js';
import {Wakeups} from './wakeups.js';

export type {StepTelemetry} from './attempt-writer.js';

const defaultCheckpointMs = 600_000;

export interface RunsOptions extends AcceptOptions, ArtifactOptions {
  leaseMs: number;
  /** Between two checkpoints inside an epoch; ten minutes when undefined. */
  checkpointMs?: number;
  /** Of a PostgreSQL database, which many processes may share; SQLite in dataDir when undefined. */
  databaseUrl?: string;
  /** Environments of the trainers that may work at once, one for each accelerator; one in this process's own when undefined. */
  accelerators?: (NodeJS.ProcessEnv | undefined)[];
  /** Of the diagnostics of data maps; our defaults where undefined. */
  thresholds?: Partial<DiagnosticThresholds>;
  /** Of trainings; our defaults where undefined. */
  warningThresholds?: Partial<WarningThresholds>;
  /** What trains; the CPU when undefined. */
  device?: 'cpu' | 'gpu';
  /** What this process removes once it has expired; nothing when undefined. */
  retention?: Retention;
  logger?: Logger;
  /** File that the child process runs, for tests; the real trainer when undefined. */
  trainerEntry?: string;
}

export interface RunsWithLife extends Runs {
  /** Begins to claim runs. */
  start(): void;
  /** Takes no other run; the one at work goes on until close(). */
  stopClaiming(): void;
  /** Claims nothing more, hands the run at work back to the queue and closes the store. */
  close(options: {graceMs: number}): Promise<void>;
  /** After each event that this process commits; run: as it is then. */
  onEvent(listener: (run: RunRecord, stored: StoredEvent) => void): void;
  /** At each optimizer update of this process's trainer. */
  onStep(listener: (step: StepTelemetry) => void): void;
  /** False while the queue cannot be reached, so that no run can be taken. */
  isQueueServed(): boolean;
  /** Process id of the trainer at work. */
  trainerPid(): number | undefined;
  /** Rates are being measured: no run begins until they are. */
  isDeviceLent(): boolean;
}

export async function createRuns(options: RunsOptions): Promise<RunsWithLife> {
  const {dataDir, cacheDir, leaseMs, databaseUrl, accelerators = [undefined], logger = silent} = options;
  const {checkpointMs = defaultCheckpointMs, retention} = options;
  const owner = newOwner();
  await mkdir(dataDir, {recursive: true});
  const artifacts = await openArtifacts(options, owner, logger);
  const sql = await openDatabase(dataDir, databaseUrl, logger);
  const catalog = new SqlCatalog(sql);
  const store = createSqlStore(sql);
  const tokenKey = await catalog.setting('token_key', () => randomBytes(32));
  const databaseId = (await catalog.setting('database_id', () => randomBytes(16))).toString('hex');
  const wakeups = new Wakeups();
  const eventListeners: ((run: RunRecord, stored: StoredEvent) => void)[] = [];
  const stepListeners: ((step: StepTelemetry) => void)[] = [];
  const onAppended = (run: RunRecord, events: StoredEvent[]) => {
    const isLogged = events.length > 0;
    wakeups.wake(run.id, isLogged);
    sql.hint(`${isLogged ? 'log' : 'run'} ${run.id}`);
    if (run.state === 'PENDING' && isLogged) {
      sql.hint('queue');
      runner.wake();
    }
    for (const listener of eventListeners) for (const event of events) listener(run, event);
  };
  const onStep = (step: StepTelemetry) => {
    for (const listener of stepListeners) listener(step);
  };

  const datasets = new Datasets(catalog, artifacts.splits);
  const instances = new RunInstances(catalog, datasets);
  const dataMaps = new DataMaps(catalog, artifacts.dataMaps, store, instances, options.thresholds);
  const dynamicsImports = new DynamicsImports(store, datasets, instances, artifacts.splits.temporaryFolder, onAppended);
  const energy = await createEnergyMeter(options.device ?? 'cpu');
  const trainerEntry =
    options.trainerEntry ?? fileURLToPath(new URL(`./trainer${extname(import.meta.url)}`, import.meta.url));
  const tokensFolder = join(cacheDir, 'tokens');
  const runner = new Runner({
    ...{store, owner, accelerators, leaseMs, checkpointMs, trainerEntry, logger, onAppended, onStep},
    isDead: other => isDeadOwner(other, databaseUrl !== undefined),
    reserve: new DiskReserve(join(dataDir, '.reserve')),
    ...{files: artifacts.runs, tokensFolder, datasets, dataMaps, energy},
    modelOf: stored => runModel(stored, {...options, token: options.hubToken}),
    warningThresholds: {...defaultWarningThresholds, ...options.warningThresholds},
  });
  const costs = new MeasuredCosts(store, datasets, dataMaps);
  const rates = new RateSources({
    ...{store, datasets, tokensFolder, trainerEntry, trainerEnv: accelerators[0]},
    borrowDevice: work => runner.borrow(work),
  });
  const estimates = new CostEstimates(datasets, costs, rates, tokensFolder);
  const acceptance = new RunAcceptance(store, datasets, dataMaps, estimates, options, onAppended);
  sql.listen(hint => {
    const [word, runId] = hint?.split(' ') ?? [];
    if (word === 'queue') return runner.wake();
    if (word === 'log' || word === 'run') wakeups.wake(runId, word === 'log');
    if (word === 'log') runner.look(runId);
    if (word !== undefined) return;
    wakeups.wakeAll();
    runner.look();
    runner.wake();
  });
  const getRun = async (id: string): Promise<RunRecord> => {
    const stored = await store.runs.get(id);
    if (!stored) throw notFound('Run', id);
    return stored.run;
  };

  const sweep = new BlobSweep({sql: new SqlSweep(sql), artifacts, owner, databaseId, logger});
  const removals = new Removals({
    ...{catalog, logger},
    removeRunFiles: uid => artifacts.runs.removeAll(uid),
    removeMapFile: sha256 => sweep.removeUnnamed('data-map', sha256),
  });
  const expiry = retention && new RetentionJob(retention, {store, catalog, removals, logger, onAppended});
  const shown = (run: RunRecord): RunRecord =>
    retention?.runsMs === undefined || run.endTime === undefined
      ? run
      : {...run, expireTime: run.endTime + retention.runsMs};

  const change = async (wish: 'cancel' | 'suspend' | 'resume', id: string, etag: string): Promise<RunRecord> => {
    const {run, events} = await changeRun(store, wish, id, etag);
    onAppended(run, events);
    runner.look(id);
    if (events.length > 0 && isTerminal(run.state)) runner.tidy(run);
    return run;
  };

  let isClosed = false;
  return {
    importDataset: (header, bytes) => datasets.import(header, bytes),
    getDataset: id => datasets.get(id),
    listDatasets: page => datasets.list(page),

    trainReference: creation => acceptance.reference(creation),
    fineTuneMain: creation => acceptance.main(creation),
    importDynamics: (creation, parts) => dynamicsImports.import(creation, parts),
    async checkDataMap(creation) {
      await dataMaps.check(creation);
    },
    buildDataMap: creation => dataMaps.build(creation),

    getRun: async id => await costs.describe(shown(await getRun(id))),
    async listRuns(page, matches) {
      const list = (limit: number, before?: number) => store.runs.list(limit, before);
      const what = 'Cannot list runs';
      const {records, nextPageToken} = await (matches
        ? readMatchingPage(what, page, list, matches)
        : readPage(what, page, list));
      return {runs: records.map(shown), nextPageToken};
    },
    async waitRun(id, etag, timeoutMs, signal) {
      const end = performance.now() + timeoutMs;
      const watch = wakeups.watch(id, 'run');
      try {
        for (let run = await getRun(id); ; run = await getRun(id)) {
          const leftMs = end - performance.now();
          if (run.etag !== etag || leftMs <= 0) return await costs.describe(shown(run));
          await watch.wait(signal, leftMs);
        }
      } finally {
        watch.close();
      }
    },
    cancelRun: (id, etag) => change('cancel', id, etag),
    suspendRun: (id, etag) => change('suspend', id, etag),
    resumeRun: (id, etag) => change('resume', id, etag),

    async deleteRun(id, options) {
      const run = await deleteRun(store, catalog, id, options);
      if (!run) return;
      onAppended(run, []);
      wakeups.wake(id, true);
      await removals.finish();
    },

    listDataMaps: (page, run) => dataMaps.list(page, run),
    getDataMap: id => dataMaps.get(id),
    readDataMap: id => dataMaps.read(id),
    async *readInstances(id) {
      const run = await getRun(id);
      // A main run has those that its map selects.
      const selected = run.dataMap && (await dataMaps.selectedInstances(await dataMaps.file(run.dataMap)));
      yield* instances.read(run, selected || undefined);
    },
    compareDataMaps: (id, otherId) => dataMaps.compare(id, otherId),

    lastSequence: async id => await store.log.lastSequence((await getRun(id)).id),
    events: (id, range) => readEvents(store, wakeups, id, range),

    tokenKey: () => tokenKey,
    countRuns: () => store.runs.countByKindAndState(),

    start() {
      runner.start();
      expiry?.start();
      if (retention) sweep.start();
    },
    stopClaiming: () => runner.stopClaiming(),
    async close({graceMs}) {
      if (isClosed) return;
      isClosed = true;
      // All at once: what is being removed must not eat the time that a trainer has to keep its state.
      await Promise.all([expiry?.close(), sweep.close(), runner.close(graceMs)]);
      energy?.close();
      await artifacts.close();
      await sql.close();
      releaseOwner(owner);
    },
    onEvent: listener => void eventListeners.push(listener),
    onStep: listener => void stepListeners.push(listener),
    isQueueServed: () => runner.isQueueServed,
    trainerPid: () => runner.trainerPid,
    isDeviceLent: () => runner.isLent,
  };
}
