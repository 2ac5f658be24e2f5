// What is kept for how long in; runs, dynamics, models and data maps that have expired removed, again and again.
import {deleteRun} from './delete-run.js';
import type {Logger} from './logger.js';
import type {Removals} from './removals.js';
import type {SqlCatalog} from './sql-catalog.js';
import type {Store} from './store.js';
import type {RunRecord, StoredEvent} from './types.js';

/** Milliseconds; each for ever when undefined. */
export interface Retention {
  /** Of a run after its end, with its log and its model; and of a data map that no run is left of or trained on. */
  runsMs?: number;
  /** Of the log of a run after its end, but for its last event. */
  dynamicsMs?: number;
  /** Of the model of a run after its end. */
  modelsMs?: number;
}

export interface RetentionContext {
  store: Store;
  catalog: SqlCatalog;
  removals: Removals;
  logger: Logger;
  onAppended: (run: RunRecord, events: StoredEvent[]) => void;
}

const everyMs = 3_600_000;
const pageSize = 100;

export class RetentionJob {
  private timer: NodeJS.Timeout | undefined;
  private turning: Promise<void> | undefined;
  private isClosing = false;

  constructor(
    private readonly retention: Retention,
    private readonly context: RetentionContext,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.turn(), everyMs);
    this.timer.unref();
    this.turn();
  }

  async close(): Promise<void> {
    this.isClosing = true;
    clearInterval(this.timer);
    await this.turning;
  }

  private turn(): void {
    this.turning ??= this.sweep()
      .catch(error => this.context.logger.error({error: String(error)}, 'What has expired could not be removed'))
      .finally(() => {
        this.turning = undefined;
      });
  }

  /** Several processes may do this at once: what one has removed is no error to another. */
  async sweep(): Promise<void> {
    const {store, catalog, removals, logger} = this.context;
    const {runsMs, dynamicsMs, modelsMs} = this.retention;
    if (modelsMs !== undefined) await this.each(modelsMs, 'model', run => this.removeModel(run));
    if (dynamicsMs !== undefined) await this.each(dynamicsMs, 'log', run => store.log.removeAllButLast(run.id));
    if (runsMs !== undefined) {
      await this.each(runsMs, 'run', run => this.removeRun(run));
      const dataMaps = await catalog.removeUnneededDataMaps(runsMs);
      if (dataMaps.length > 0) logger.info({dataMaps}, 'Data maps have expired');
    }
    await removals.finish();
  }

  private async removeRun({id, etag}: RunRecord): Promise<void> {
    const {store, catalog, onAppended} = this.context;
    const run = await deleteRun(store, catalog, id, {etag, allowMissing: true});
    if (run) onAppended(run, []);
  }

  private async removeModel({id, uid}: RunRecord): Promise<void> {
    const {store, catalog, onAppended} = this.context;
    const after = await store.transaction(async () => {
      await store.log.append({runId: id}, stored => ({
        stored: {...stored, run: {...stored.run, modelUri: undefined}},
        events: [],
      }));
      await catalog.addRemoval('run', uid);
      return (await store.runs.get(id))?.run;
    });
    if (after) onAppended(after, []);
  }

  /** Of every run that ended so long ago and still has this. One that cannot be removed stays for the next turn. */
  private async each(
    afterMs: number,
    what: 'run' | 'log' | 'model',
    remove: (run: RunRecord) => Promise<void>,
  ): Promise<void> {
    const {store, logger} = this.context;
    const seen = new Set<string>();
    for (;;) {
      const page = await store.runs.endedFor(afterMs, what, pageSize);
      const found = page.filter(({uid}) => !seen.has(uid));
      if (found.length === 0) return;
      for (const run of found) {
        if (this.isClosing) return;
        seen.add(run.uid);
        await remove(run).then(
          () => logger.info({runId: run.id, what}, 'A run, its log or its model has expired'),
          error => logger.warn({runId: run.id, what, error: String(error)}, 'What has expired stays for now'),
        );
      }
    }
  }
}
