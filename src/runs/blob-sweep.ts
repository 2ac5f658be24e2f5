// Files in; those that no row of the database names removed, once they are old. One process at a time sweeps, in small steps.
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {Artifacts} from './artifacts.js';
import type {Logger} from './logger.js';
import type {BlobKind, SqlSweep} from './sql-sweep.js';

/** From the end of a sweep to the next. */
const everyMs = 3_600_000;
/** What no row names is kept so long: it may be on its way. */
const unnamedMs = 24 * 3_600_000;
/** A step takes no longer, else another process may begin a sweep. */
const stepMs = 600_000;
const firstLookMs = 5000;

export interface BlobSweepContext {
  sql: SqlSweep;
  artifacts: Artifacts;
  owner: string;
  databaseId: string;
  logger: Logger;
}

export class BlobSweep {
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  constructor(private readonly context: BlobSweepContext) {}

  /** Looks soon, and then several times within the hour, whether a sweep is due. */
  start(): void {
    const look = () => {
      this.sweeping = this.sweep().catch(error =>
        this.context.logger.warn({error: String(error)}, 'A sweep of files broke off: the next one goes on'),
      );
      void this.sweeping.then(() => this.lookIn(look, everyMs / 4));
    };
    this.lookIn(look, firstLookMs);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.sweeping;
  }

  private lookIn(look: () => void, milliseconds: number): void {
    if (!this.isClosed) this.timer = setTimeout(look, milliseconds).unref();
  }

  /** False when it is not due. */
  async sweep(): Promise<boolean> {
    const {sql, owner} = this.context;
    if (!(await sql.claim(owner, stepMs))) return false;
    for await (const _ of this.steps()) {
      if (this.isClosed || !(await sql.keep(owner, stepMs))) return true;
      await nextTurn();
    }
    await sql.keep(owner, everyMs);
    return true;
  }

  /** Nothing happens where something names it. Who puts an equal one meanwhile waits until this one is gone. */
  async removeUnnamed(kind: BlobKind, sha256: string): Promise<void> {
    if (await this.context.sql.doom(kind, sha256)) await this.remove(kind, sha256);
  }

  private async *steps(): AsyncGenerator<void> {
    const {sql, artifacts, databaseId} = this.context;
    for (const {kind, sha256} of await sql.forgotten(stepMs)) {
      await this.remove(kind, sha256);
      yield;
    }
    // Files of a place that another database has are not ours to judge.
    if (!(await artifacts.isOwn(databaseId))) return;
    yield* this.unnamed('split');
    yield* this.unnamed('data-map');
    yield* this.unknownRuns();
  }

  private async *unnamed(kind: BlobKind): AsyncGenerator<void> {
    const {sql, artifacts} = this.context;
    const putBefore = Date.now() - unnamedMs;
    for await (const {sha256, putTime} of (kind === 'split' ? artifacts.splits : artifacts.dataMaps).list()) {
      if (putTime > putBefore || (await sql.isNamed(kind, sha256))) continue;
      await this.removeUnnamed(kind, sha256);
      yield;
    }
  }

  /** Such as those that a worker wrote after its run was deleted. */
  private async *unknownRuns(): AsyncGenerator<void> {
    const {sql, artifacts, logger} = this.context;
    for await (const uid of artifacts.runs.list()) {
      if (await sql.knowsRun(uid)) continue;
      await artifacts.runs.removeAll(uid);
      logger.info({uid}, 'Files of a run that is no more were removed');
      yield;
    }
  }

  private async remove(kind: BlobKind, sha256: string): Promise<void> {
    const {sql, artifacts, logger} = this.context;
    await (kind === 'split' ? artifacts.splits : artifacts.dataMaps).remove(sha256);
    await sql.spare(kind, sha256);
    logger.info({kind, sha256}, 'A file that nothing names was removed');
  }
}
