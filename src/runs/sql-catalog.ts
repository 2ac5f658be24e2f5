// An SQL database → datasets, their splits, data maps and settings in it.
import type {Row, Sql} from './sql.js';
import type {DataMapRecord, DatasetRecord, SplitRecord} from './types.js';

/** number: grows with each map that is made. */
export interface NumberedDataMap {
  number: number;
  map: DataMapRecord;
}

/** A split and the SHA-256 of its file. */
export interface StoredSplit {
  split: SplitRecord;
  file: string;
}

export interface StoredDataMap {
  map: DataMapRecord;
  /** SHA-256 of its columns file. */
  file: string;
  /** Digest of everything that a map is made from and of: maps of the same identity are the same. */
  identity: string;
}

/** run: all files of the run of this uid; data-map: the columns file of this name. */
export type RemovalKind = 'run' | 'data-map';

type DatasetJson = Omit<DatasetRecord, 'id' | 'uid' | 'createTime' | 'splits'>;

export class SqlCatalog {
  constructor(private readonly sql: Sql) {}

  /** One at a time for each name: what the body has read stays true. */
  transaction<T>(name: 'datasets' | 'data-maps', body: () => Promise<T>): Promise<T> {
    return this.sql.transaction(async () => {
      await this.sql.lock(name);
      return await body();
    });
  }

  /** Makes the dataset, or writes what changed in it; its splits are apart. Inside a transaction. */
  async putDataset({id, uid, splits, createTime, ...json}: DatasetRecord): Promise<void> {
    const row = await this.sql.row(`select ${this.sql.now} as now, coalesce(max(created_at), 0) as last from datasets`);
    await this.sql.run(
      `insert into datasets (id, uid, created_at, record) values (?, ?, ?, ?)
       on conflict (id) do update set record = excluded.record`,
      ...[id, uid, Math.max(Number(row!.now), Number(row!.last) + 1), JSON.stringify(json satisfies DatasetJson)],
    );
  }

  async getDataset(id: string): Promise<DatasetRecord | undefined> {
    const row = await this.sql.row('select * from datasets where id = ?', id);
    return row && (await this.dataset(row));
  }

  async listDatasets(limit: number, before = Number.MAX_SAFE_INTEGER): Promise<DatasetRecord[]> {
    const rows = await this.sql.rows(
      'select * from datasets where created_at < ? order by created_at desc limit ?',
      before,
      limit,
    );
    return await Promise.all(rows.map(row => this.dataset(row)));
  }

  async addSplit(dataset: string, {split, file}: StoredSplit): Promise<void> {
    await this.sql.run(
      `insert into splits (dataset, name, position, file, record)
       values (?, ?, (select count(*) from splits where dataset = ?), ?, ?)`,
      ...[dataset, split.name, dataset, file, JSON.stringify(split)],
    );
  }

  /** In the order of import. */
  async splits(dataset: string): Promise<StoredSplit[]> {
    const rows = await this.sql.rows('select file, record from splits where dataset = ? order by position', dataset);
    return rows.map(({file, record}) => ({split: JSON.parse(String(record)) as SplitRecord, file: String(file)}));
  }

  /** Inside a transaction that is to name the blob: an equal one is just being removed. */
  async isDoomed(kind: 'split' | 'data-map', sha256: string): Promise<boolean> {
    const row = await this.sql.row('select 1 as found from doomed_blobs where kind = ? and name = ?', kind, sha256);
    return row !== undefined;
  }

  /** Of a run whose instances are in no data set, in parts counted from 0. */
  async addInstances(runId: string, part: number, body: Uint8Array): Promise<void> {
    await this.sql.run('insert into run_instances (run_id, part, body) values (?, ?, ?)', runId, part, body);
  }

  /** Of maps made so long ago, those that no run is left of or trained on; their ids. */
  async removeUnneededDataMaps(milliseconds: number): Promise<string[]> {
    return await this.transaction('data-maps', async () => {
      const rows = await this.sql.rows(
        `select id, run, file, record, ${this.sql.now} as now from data_maps
         where not exists (select 1 from runs where runs.id = data_maps.run) and not exists (
           select 1 from runs where kind = 'MAIN' and runs.record like '%"dataMap":"' || data_maps.id || '"%')`,
      );
      const madeAt = (row: Row) => (JSON.parse(String(row.record)) as DataMapRecord).createTime;
      const old = rows.filter(row => madeAt(row) <= Number(row.now) - milliseconds);
      for (const {id, run, file} of old) {
        await this.sql.run('delete from data_maps where id = ?', id);
        await this.addRemoval('data-map', String(file));
        if (!(await this.hasDataMaps(String(run)))) await this.removeInstances(String(run));
      }
      return old.map(({id}) => String(id));
    });
  }

  /** A file is to go with what named it: in the same transaction. */
  async addRemoval(kind: RemovalKind, name: string): Promise<void> {
    await this.sql.run(
      `insert into removals (kind, name, since) values (?, ?, ${this.sql.now}) on conflict (kind, name) do nothing`,
      kind,
      name,
    );
  }

  /** Names of what was added so long ago. */
  async removals(kind: RemovalKind, milliseconds: number): Promise<string[]> {
    const rows = await this.sql.rows(
      `select name from removals where kind = ? and since <= ${this.sql.now} - ? order by since`,
      kind,
      milliseconds,
    );
    return rows.map(({name}) => String(name));
  }

  async forgetRemoval(kind: RemovalKind, name: string): Promise<void> {
    await this.sql.run('delete from removals where kind = ? and name = ?', kind, name);
  }

  async removeInstances(runId: string): Promise<void> {
    await this.sql.run('delete from run_instances where run_id = ?', runId);
  }

  async instances(runId: string, part: number): Promise<Uint8Array | undefined> {
    const row = await this.sql.row('select body from run_instances where run_id = ? and part = ?', runId, part);
    return row && (row.body as Uint8Array);
  }

  async addDataMap({map, file, identity}: StoredDataMap, request?: {id: string; digest: string}): Promise<void> {
    await this.sql.run(
      `insert into data_maps (id, request_id, request_digest, file, identity, record, run, number)
       values (?, ?, ?, ?, ?, ?, ?, (select coalesce(max(number), 0) + 1 from data_maps))`,
      ...[map.id, request?.id ?? null, request?.digest ?? null, file, identity, JSON.stringify(map), map.run],
    );
  }

  /** Newest first, before the one of the given number; run: those made of it alone. */
  async listDataMaps(limit: number, before = Number.MAX_SAFE_INTEGER, run?: string): Promise<NumberedDataMap[]> {
    const rows = await this.sql.rows(
      `select number, record from data_maps where number < ? ${run === undefined ? '' : 'and run = ?'}
       order by number desc limit ?`,
      ...[before, ...(run === undefined ? [] : [run]), limit],
    );
    return rows.map(({number, record}) => ({
      number: Number(number),
      map: JSON.parse(String(record)) as DataMapRecord,
    }));
  }

  async hasDataMaps(run: string): Promise<boolean> {
    return (await this.sql.row('select 1 as found from data_maps where run = ? limit 1', run)) !== undefined;
  }

  async getDataMap(id: string): Promise<StoredDataMap | undefined> {
    const row = await this.sql.row('select file, identity, record from data_maps where id = ?', id);
    if (!row) return undefined;
    return {
      map: JSON.parse(String(row.record)) as DataMapRecord,
      file: String(row.file),
      identity: String(row.identity),
    };
  }

  async findDataMapByRequest(requestId: string): Promise<{id: string; digest: string} | undefined> {
    const row = await this.sql.row('select id, request_digest from data_maps where request_id = ?', requestId);
    return row && {id: String(row.id), digest: String(row.request_digest)};
  }

  /** The stored value, made once. */
  setting(name: string, make: () => Buffer): Promise<Buffer> {
    return this.sql.transaction(async () => {
      await this.sql.run(
        'insert into settings (name, value) values (?, ?) on conflict (name) do nothing',
        name,
        make(),
      );
      const row = await this.sql.row('select value from settings where name = ?', name);
      return Buffer.from(row!.value as Uint8Array);
    });
  }

  private async dataset({id, uid, created_at, record}: Row): Promise<DatasetRecord> {
    return {
      ...(JSON.parse(String(record)) as DatasetJson),
      id: String(id),
      uid: String(uid),
      createTime: Number(created_at),
      splits: (await this.splits(String(id))).map(({split}) => split),
    };
  }
}
