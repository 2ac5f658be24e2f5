// An SQL database → what a sweep of files has to know of it: whose turn it is, what names a file, and which are being removed.
import type {Sql} from './sql.js';

/** Blobs, named by their SHA-256. */
export type BlobKind = 'split' | 'data-map';

const namers: Record<BlobKind, {table: string; lock: string}> = {
  split: {table: 'splits', lock: 'datasets'},
  'data-map': {table: 'data_maps', lock: 'data-maps'},
};

export class SqlSweep {
  constructor(private readonly sql: Sql) {}

  /** False before the time of the last claim is over, whoever made it. */
  async claim(owner: string, forMs: number): Promise<boolean> {
    const {now} = this.sql;
    const changed = await this.sql.run(
      `insert into sweeps (name, owner, until) values ('files', ?, ${now} + ?)
       on conflict (name) do update set owner = excluded.owner, until = excluded.until where sweeps.until <= ${now}`,
      owner,
      forMs,
    );
    return changed === 1;
  }

  /** False where another one has claimed it meanwhile. */
  async keep(owner: string, forMs: number): Promise<boolean> {
    const {now} = this.sql;
    const changed = await this.sql.run(
      `update sweeps set until = ${now} + ? where name = 'files' and owner = ?`,
      forMs,
      owner,
    );
    return changed === 1;
  }

  async knowsRun(uid: string): Promise<boolean> {
    return (await this.sql.row('select 1 as found from runs where uid = ?', uid)) !== undefined;
  }

  /** By a split, or by a data map. */
  async isNamed(kind: BlobKind, sha256: string): Promise<boolean> {
    const {table} = namers[kind];
    return (await this.sql.row(`select 1 as found from ${table} where file = ? limit 1`, sha256)) !== undefined;
  }

  /** From now on nobody names the blob: whoever gets true is to remove it. False where it is named, or another one removes it. */
  async doom(kind: BlobKind, sha256: string): Promise<boolean> {
    return await this.sql.transaction(async () => {
      await this.sql.lock(namers[kind].lock);
      if (await this.isNamed(kind, sha256)) return false;
      const changed = await this.sql.run(
        `insert into doomed_blobs (kind, name, since) values (?, ?, ${this.sql.now}) on conflict do nothing`,
        kind,
        sha256,
      );
      return changed === 1;
    });
  }

  /** It is removed. */
  async spare(kind: BlobKind, sha256: string): Promise<void> {
    await this.sql.run('delete from doomed_blobs where kind = ? and name = ?', kind, sha256);
  }

  /** Doomed so long ago that whoever was to remove them must be gone. */
  async forgotten(milliseconds: number): Promise<{kind: BlobKind; sha256: string}[]> {
    const rows = await this.sql.rows(
      `select kind, name from doomed_blobs where since <= ${this.sql.now} - ? order by kind, name`,
      milliseconds,
    );
    return rows.map(({kind, name}) => ({kind: kind as BlobKind, sha256: String(name)}));
  }
}
