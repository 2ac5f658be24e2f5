// An SQLite database → datasets, their splits, data maps and settings in it.
import type {Row, Sqlite} from './sqlite.js';
import type {DataMapRecord, DatasetRecord, SplitRecord} from './types.js';

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

type DatasetJson = Omit<DatasetRecord, 'id' | 'uid' | 'createTime' | 'splits'>;

export class SqliteCatalog {
  constructor(
    private readonly sqlite: Sqlite,
    private readonly clock: () => number = Date.now,
  ) {}

  transaction<T>(body: () => T): T {
    return this.sqlite.transaction(body);
  }

  /** Makes the dataset, or writes what changed in it; its splits are apart. */
  putDataset({id, uid, splits, createTime, ...json}: DatasetRecord): void {
    const last = Number(this.sqlite.row('select coalesce(max(created_at), 0) as time from datasets')!.time);
    this.sqlite.run(
      `insert into datasets (id, uid, created_at, record) values (?, ?, ?, ?)
       on conflict (id) do update set record = excluded.record`,
      ...[id, uid, Math.max(this.clock(), last + 1), JSON.stringify(json satisfies DatasetJson)],
    );
  }

  getDataset(id: string): DatasetRecord | undefined {
    const row = this.sqlite.row('select * from datasets where id = ?', id);
    return row && this.dataset(row);
  }

  listDatasets(limit: number, before = Number.MAX_SAFE_INTEGER): DatasetRecord[] {
    const rows = this.sqlite.rows(
      'select * from datasets where created_at < ? order by created_at desc limit ?',
      before,
      limit,
    );
    return rows.map(row => this.dataset(row));
  }

  addSplit(dataset: string, {split, file}: StoredSplit): void {
    this.sqlite.run(
      `insert into splits (dataset, name, position, file, record)
       values (?, ?, (select count(*) from splits where dataset = ?), ?, ?)`,
      ...[dataset, split.name, dataset, file, JSON.stringify(split)],
    );
  }

  /** In the order of import. */
  splits(dataset: string): StoredSplit[] {
    const rows = this.sqlite.rows('select file, record from splits where dataset = ? order by position', dataset);
    return rows.map(({file, record}) => ({split: JSON.parse(String(record)) as SplitRecord, file: String(file)}));
  }

  isSplitFileUsed(file: string): boolean {
    return this.sqlite.row('select 1 as used from splits where file = ? limit 1', file) !== undefined;
  }

  /** Of a run whose instances are in no data set, in parts counted from 0. */
  addInstances(runId: string, part: number, body: Uint8Array): void {
    this.sqlite.run('insert into run_instances (run_id, part, body) values (?, ?, ?)', runId, part, body);
  }

  instances(runId: string, part: number): Uint8Array | undefined {
    const row = this.sqlite.row('select body from run_instances where run_id = ? and part = ?', runId, part);
    return row && new Uint8Array(row.body as ArrayBuffer);
  }

  addDataMap({map, file, identity}: StoredDataMap, request?: {id: string; digest: string}): void {
    this.sqlite.run(
      'insert into data_maps (id, request_id, request_digest, file, identity, record) values (?, ?, ?, ?, ?, ?)',
      ...[map.id, request?.id ?? null, request?.digest ?? null, file, identity, JSON.stringify(map)],
    );
  }

  getDataMap(id: string): StoredDataMap | undefined {
    const row = this.sqlite.row('select file, identity, record from data_maps where id = ?', id);
    if (!row) return undefined;
    return {
      map: JSON.parse(String(row.record)) as DataMapRecord,
      file: String(row.file),
      identity: String(row.identity),
    };
  }

  findDataMapByRequest(requestId: string): {id: string; digest: string} | undefined {
    const row = this.sqlite.row('select id, request_digest from data_maps where request_id = ?', requestId);
    return row && {id: String(row.id), digest: String(row.request_digest)};
  }

  /** The stored value, made once. */
  setting(name: string, make: () => Buffer): Buffer {
    return this.sqlite.transaction(() => {
      this.sqlite.run('insert into settings (name, value) values (?, ?) on conflict (name) do nothing', name, make());
      const {value} = this.sqlite.row('select value from settings where name = ?', name)!;
      return Buffer.from(value as ArrayBuffer);
    });
  }

  private dataset({id, uid, created_at, record}: Row): DatasetRecord {
    return {
      ...(JSON.parse(String(record)) as DatasetJson),
      id: String(id),
      uid: String(uid),
      createTime: Number(created_at),
      splits: this.splits(String(id)).map(({split}) => split),
    };
  }
}
