// Files that no record names any more in, as the database remembers them; removed, however often a process dies in between.
import type {Logger} from './logger.js';
import type {SqlCatalog} from './sql-catalog.js';

/** A map may be built anew of the same bytes while its file is still there: its record comes after its file. */
const mapFileMs = 24 * 3_600_000;

export interface RemovalContext {
  catalog: SqlCatalog;
  logger: Logger;
  /** uid: of a run that is deleted, or whose model has expired. No error where there is nothing. */
  removeRunFiles(uid: string): Promise<void>;
  /** Nothing where a map names it. */
  removeMapFile(sha256: string): Promise<void>;
}

export class Removals {
  constructor(private readonly context: RemovalContext) {}

  /** What was added in the transactions that made its records go; what fails is tried again the next time. */
  async finish(): Promise<void> {
    const {catalog} = this.context;
    for (const name of await catalog.removals('run', 0)) await this.remove('run', name);
    for (const name of await catalog.removals('data-map', mapFileMs)) await this.remove('data-map', name);
  }

  private async remove(kind: 'run' | 'data-map', name: string): Promise<void> {
    const {catalog, logger, removeRunFiles, removeMapFile} = this.context;
    try {
      if (kind === 'run') await removeRunFiles(name);
      else await removeMapFile(name);
      await catalog.forgetRemoval(kind, name);
    } catch (error) {
      logger.warn({kind, name, error: String(error)}, 'Files of what was removed stay for now');
    }
  }
}
