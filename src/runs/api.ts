// What the server calls: every RPC of the contract as a plain function over plain records. Errors are FtftErrors with the
// reasons of the error table; unknown ids are NOT_FOUND.

import type {DataMapComparison} from '../pipeline/compare-data-maps.js';
import type {Method} from '../pipeline/methods.js';
import type {InstanceMetric, Selection, VariabilityEstimator} from '../pipeline/types.js';
import type {RunInstance} from './run-instances.js';
import type {
  DataMapColumns,
  DataMapRecord,
  DatasetRecord,
  RunEarlyStopping,
  RunRecord,
  SplitRecord,
  StoredEvent,
  TrainingSpecInput,
} from './types.js';

export interface Page {
  pageSize: number;
  pageToken: string;
}

export interface ImportHeader {
  dataset: string;
  split: string;
  isOutOfDistribution: boolean;
  format: 'jsonl' | 'csv' | 'tsv' | 'parquet';
  hasHeaderRow: boolean;
  columns: {text: string; textPair?: string; label: string; id?: string};
  /** Rows that do not pass all of them are left out. */
  filters: {column: string; values: string[]; isExcluding: boolean}[];
  /** Empty when the dataset exists already. */
  classLabels: {name: string; aliases: string[]}[];
  validateOnly: boolean;
}

/** Common to the calls that make something. */
export interface Creation {
  /** Last part of the name; made when undefined. */
  id?: string;
  /** Idempotency key with the digest of the whole canonical request. */
  request?: {id: string; digest: string};
  validateOnly: boolean;
}

export interface RunCreation extends Creation {
  spec: TrainingSpecInput;
  labels: Record<string, string>;
  traceParent?: string;
  /** Who asks, as the server names callers; undefined where it asks nobody who they are. */
  caller?: string;
  /** With validateOnly: what it would cost is wanted too. */
  wantsEstimate?: boolean;
}

export interface MainCreation extends RunCreation {
  /** '' where the method needs none. */
  dataMap: string;
  method?: Method;
  budget?: {maxSteps: number} | {stepFraction: number};
  /** What is left out takes its default. */
  earlyStopping?: Partial<RunEarlyStopping>;
}

export interface DynamicsCreation extends Creation {
  /** Both undefined where the instances are in no data set. */
  dataset?: string;
  trainSplit?: string;
  /** What was trained, for the record. */
  model: string;
  format: 'cartography-jsonl' | 'p-true-csv' | 'p-true-parquet';
  /** Classes in the order of the import; the data set's own when empty. */
  classNames: string[];
  dropPartialLastEpoch: boolean;
  labels: Record<string, string>;
  traceParent?: string;
  /** Who asks, as the server names callers; undefined where it asks nobody who they are. */
  caller?: string;
}

/** Next bytes of one epoch's log; epoch: undefined for those of a table of all epochs. */
export interface DynamicsPart {
  epoch?: number;
  data: Uint8Array;
}

export interface DataMapCreation extends Creation {
  run: string;
  epochs?: {first: number; last: number};
  /** The first epochs only; instead of epochs. */
  burnOut?: number;
  variabilityEstimator?: VariabilityEstimator;
  selection?: Partial<Selection>;
  /** To keep as columns beside those that every map has. */
  metrics?: InstanceMetric[];
  scoreWindow?: number;
}

export interface EventRange {
  /** First event wanted: a sequence number, a named place, or the first event of an epoch. */
  start: {sequence: number} | {position: 'earliest' | 'latest' | 'last-committed-epoch'} | {epoch: number};
  signal: AbortSignal;
}

export interface Runs {
  importDataset(
    header: ImportHeader,
    /** A file name stands before the bytes of each file but the first, which may have one. */
    parts: AsyncIterable<Uint8Array | {fileName: string}>,
  ): Promise<{dataset: DatasetRecord; split: SplitRecord; warnings: string[]}>;
  getDataset(id: string): Promise<DatasetRecord>;
  listDatasets(page: Page): Promise<{datasets: DatasetRecord[]; nextPageToken: string}>;

  trainReference(creation: RunCreation): Promise<RunRecord>;
  fineTuneMain(creation: MainCreation): Promise<RunRecord>;
  /** Whole or nothing. */
  importDynamics(
    creation: DynamicsCreation,
    parts: AsyncIterable<DynamicsPart>,
  ): Promise<{run: RunRecord; warnings: string[]}>;
  /** Rejects with what is wrong with a request as far as that can be told without reading dynamics. */
  checkDataMap(creation: DataMapCreation): Promise<void>;
  buildDataMap(creation: DataMapCreation): Promise<DataMapRecord>;

  getRun(id: string): Promise<RunRecord>;
  /** matches: all when undefined. A page may be short, even empty, before the last: see pages.ts. */
  listRuns(page: Page, matches?: (run: RunRecord) => boolean): Promise<{runs: RunRecord[]; nextPageToken: string}>;
  /** Resolves once the etag is another than the one given, or after timeoutMs. */
  waitRun(id: string, etag: string, timeoutMs: number, signal: AbortSignal): Promise<RunRecord>;
  /** etag: '' for any. Each does nothing where it is done. */
  cancelRun(id: string, etag: string): Promise<RunRecord>;
  suspendRun(id: string, etag: string): Promise<RunRecord>;
  resumeRun(id: string, etag: string): Promise<RunRecord>;

  /** etag: '' for any. FAILED_PRECONDITION/RUN_NOT_TERMINAL; NOT_FOUND unless allowMissing. Its data maps stay. */
  deleteRun(id: string, options: {etag: string; allowMissing: boolean}): Promise<void>;

  getDataMap(id: string): Promise<DataMapRecord>;
  /** Newest first; run: those made of it alone. */
  listDataMaps(page: Page, run?: string): Promise<{dataMaps: DataMapRecord[]; nextPageToken: string}>;
  /** All that are in the columns of a run, in their order. */
  readInstances(run: string): AsyncGenerator<RunInstance>;
  readDataMap(id: string): Promise<DataMapColumns>;
  compareDataMaps(id: string, otherId: string): Promise<DataMapComparison>;

  /** Last sequence of the run's log; 0 when empty. */
  lastSequence(id: string): Promise<number>;
  /** Stored events from start on. Yields 'caught-up' once, when all that was stored has been sent; then follows the run live and
   * returns after the last event of a terminal run. */
  events(id: string, range: EventRange): AsyncGenerator<StoredEvent | 'caught-up'>;

  /** Key of the resume tokens' HMAC, made once and kept in the store. */
  tokenKey(): Buffer;
  /** Runs by kind and state, for the gauge. */
  countRuns(): Promise<{kind: string; state: string; count: number}[]>;
}
