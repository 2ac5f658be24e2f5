// Checkpoints and the model that an attempt's trainer writes: made to last before the log names them, removed when nothing names them.
import type {RunFiles} from './artifacts.js';
import type {Logger} from './logger.js';
import type {Store, StoredRun} from './store.js';
import type {FromTrainer} from './trainer-protocol.js';

interface FilesContext {
  store: Store;
  files: RunFiles;
  logger: Logger;
}

export class AttemptFiles {
  private readonly runId: string;
  private readonly uid: string;
  private readonly attempt: number;

  constructor(
    {run}: StoredRun,
    private readonly context: FilesContext,
    /** Waits while the database or the place of the files is away. */
    private readonly ask: <T>(body: () => Promise<T>) => Promise<T>,
  ) {
    ({id: this.runId, uid: this.uid, attempt: this.attempt} = run);
  }

  /** Names of the checkpoints that the run goes on from, or ends with, as the store has them. */
  async named(): Promise<(string | undefined)[]> {
    const found = await this.ask(() => this.context.store.runs.get(this.runId));
    const {checkpoint, best, keptBest} = found?.work ?? {};
    return [checkpoint?.file, best?.file, keptBest?.file];
  }

  /** What the message says is on the trainer's disk. */
  async keep(message: FromTrainer): Promise<void> {
    const written = 'checkpoint' in message ? message.checkpoint : 'best' in message ? message.best : undefined;
    if (written) await this.ask(() => this.context.files.keepCheckpoint(this.uid, written));
  }

  /** Makes room. */
  async removeUnnamed(): Promise<void> {
    await this.orWarn(async () => {
      await this.context.files.removeCheckpoints(this.uid, this.attempt, await this.named());
    });
  }

  /** By name: the trainer may be writing others meanwhile. */
  async removeSuperseded(before: (string | undefined)[]): Promise<void> {
    const named = await this.named();
    for (const name of before)
      if (name !== undefined && !named.includes(name))
        void this.orWarn(() => this.context.files.removeCheckpoint(this.uid, name));
  }

  /** The model's URI. */
  async keepModel(folder: string): Promise<string> {
    return await this.ask(() => this.context.files.keepModel(this.uid, folder));
  }

  async forget(): Promise<void> {
    await this.orWarn(() => this.context.files.forget(this.uid));
  }

  /** Of a run that has ended. */
  async removeLeftovers(modelUri: string | undefined): Promise<void> {
    await this.orWarn(() => this.context.files.removeLeftovers({uid: this.uid, modelUri}));
  }

  private async orWarn(remove: () => Promise<void>): Promise<void> {
    const {logger} = this.context;
    await remove().catch(error =>
      logger.warn({runId: this.runId, attempt: this.attempt, error: String(error)}, 'Old checkpoints stay'),
    );
  }
}
