// Logs of allenai/cartography, one file an epoch (guid, logits_epoch_<e>, gold) → logits by instance; wrong lines are named.
import {decompressed} from './decompress.js';
import {
  addGuid,
  ColumnBudget,
  count,
  type DynamicsOptions,
  defaultMaxBytes,
  Faults,
  floats,
  GrowingColumn,
  type ImportedDynamics,
  integers,
  maxClasses,
  quote,
} from './dynamics-import.js';
import {integerText} from './row-reader.js';
import {jsonRows, type Row} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';

/** Bytes of one epoch's file. */
export interface LogPart {
  /** 0-based, ascending, none left out. */
  epoch: number;
  data: Uint8Array;
}

const maxLineBytes = 1 << 20;

/** Instances in the order of the data set, else in that of the first epoch. INVALID_ARGUMENT/ROWS_INVALID for what is wrong. */
export async function readDynamicsLog(
  parts: AsyncIterable<LogPart>,
  options: DynamicsOptions,
): Promise<ImportedDynamics> {
  const {maxBytes = defaultMaxBytes} = options;
  const reader = new LogReader(options);
  for await (const {epoch, bytes} of epochsOf(parts)) {
    reader.begin(epoch);
    try {
      const log = decompressed(bytes, {fileName: `the log of epoch ${epoch}`, maxBytes});
      for await (const row of jsonRows(lineBlocks(log, maxLineBytes))) reader.read(row);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      const place = error.line > 0 ? `, line ${error.line}` : '';
      reader.faults.add(`log[epoch ${epoch}${place}]`, error.message);
    }
    reader.end();
  }
  return reader.result();
}

/** Each epoch's bytes are to be read to their end before the next is asked for. */
async function* epochsOf(
  parts: AsyncIterable<LogPart>,
): AsyncGenerator<{epoch: number; bytes: AsyncGenerator<Uint8Array>}> {
  const iterator = parts[Symbol.asyncIterator]();
  let next = await iterator.next();
  async function* bytesOf(epoch: number): AsyncGenerator<Uint8Array> {
    for (; !next.done && next.value.epoch === epoch; next = await iterator.next()) yield next.value.data;
  }
  try {
    while (!next.done) yield {epoch: next.value.epoch, bytes: bytesOf(next.value.epoch)};
  } finally {
    await iterator.return?.();
  }
}

class LogReader {
  readonly faults = new Faults();
  private readonly budget: ColumnBudget;
  private readonly epochs: Float32Array[] = [];
  private readonly guids: string[] = [];
  private readonly indexOf: Map<string, number> | ReadonlyMap<string, number>;
  /** As the log numbers the classes. */
  private readonly golds: GrowingColumn<Int32Array>;
  /** 0 until the first right line. */
  private numClasses: number;
  private epoch = -1;
  private logits: GrowingColumn<Float32Array>;
  /** Line of each instance in this epoch; 0 where it has not come. */
  private readonly lineOf: GrowingColumn<Int32Array>;
  private numSeen = 0;
  /** Of the epoch before, which only the last one may be. */
  private numMissing = 0;
  /** [class of the log][class of the data set] of the first epoch. */
  private readonly confusion: number[][];
  private readonly warnings: string[] = [];

  constructor(private readonly options: DynamicsOptions) {
    const {known, maxColumnBytes} = options;
    this.budget = new ColumnBudget(maxColumnBytes);
    this.golds = new GrowingColumn(this.budget, integers);
    this.lineOf = new GrowingColumn(this.budget, integers);
    this.logits = new GrowingColumn(this.budget, floats);
    this.indexOf = known?.indexOf ?? new Map<string, number>();
    this.numClasses = known?.classNames.length ?? 0;
    this.confusion = Array.from({length: this.numClasses}, () => new Array(this.numClasses).fill(0));
  }

  begin(epoch: number): void {
    const next = this.epoch + 1;
    if (epoch !== next)
      this.faults.add(
        `log[epoch ${epoch}]`,
        epoch > next
          ? `epoch ${next} is missing: epochs must come one after the other, from 0`
          : `comes after epoch ${this.epoch}: epochs must come in ascending order, each once`,
      );
    if (this.numMissing > 0) this.refuseMissing();
    // With an epoch that cannot be read, the next says nothing of value.
    this.faults.throwIfAny();
    this.epoch = epoch;
    this.logits = new GrowingColumn(this.budget, floats, 0, this.numInstances() * this.numClasses);
    this.lineOf.clear();
    this.numSeen = 0;
  }

  read(row: Row): void {
    const {line} = row;
    if (!('object' in row)) {
      this.fault(line, undefined, 'wrong' in row ? row.wrong : 'expected one JSON object');
      return;
    }
    const {object, source} = row;
    const before = this.faults.violations.length;
    const guid = this.guid(line, object.guid, source);
    const logits = this.checkedLogits(line, object);
    const gold = logits && this.gold(line, object.gold);
    const index = guid === undefined ? undefined : this.index(line, guid);
    if (this.faults.violations.length > before || !logits || gold === undefined || index === undefined) return;
    const {known} = this.options;
    if (this.epoch === 0) {
      this.golds.set(index, gold);
      if (known) this.confusion[gold][known.labels[index]]++;
    } else if (this.golds.get(index) !== gold)
      this.fault(line, 'gold', `expected ${this.golds.get(index)} as in epoch 0, found ${gold}`);
    this.keep(index, logits);
  }

  end(): void {
    const numInstances = this.numInstances();
    if (numInstances === 0) this.faults.add('log[epoch 0]', 'expected at least one line, found none');
    this.faults.throwIfAny();
    if (this.epoch === 0) this.checkClasses();
    this.numMissing = numInstances - this.numSeen;
    if (this.numMissing === 0) this.epochs.push(this.logits.toArray(numInstances * this.numClasses));
  }

  result(): ImportedDynamics {
    const {known, dropPartialLastEpoch} = this.options;
    if (this.epoch < 0) this.faults.add('log', 'expected the log of at least one epoch, found none');
    if (this.numMissing > 0) {
      if (dropPartialLastEpoch && this.epoch > 0)
        this.warnings.push(`epoch ${this.epoch} was dropped: it lacks ${this.missing()}`);
      else this.refuseMissing();
    }
    this.faults.throwIfAny();
    return {
      guids: known ? undefined : this.guids,
      golds: known?.labels ?? this.golds.toArray(this.guids.length),
      numClasses: this.numClasses,
      epochs: this.epochs.map(logits => ({logits})),
      warnings: this.warnings,
    };
  }

  private numInstances(): number {
    return this.options.known?.labels.length ?? this.guids.length;
  }

  private fault(line: number, key: string | undefined, description: string): void {
    this.faults.add(`log[epoch ${this.epoch}, line ${line}]${key === undefined ? '' : `.${key}`}`, description);
  }

  private guid(line: number, guid: unknown, source: string): string | undefined {
    if (typeof guid === 'string' && guid !== '') return guid;
    if (typeof guid === 'number' && Number.isInteger(guid)) return integerText(source, 'guid', guid);
    this.fault(line, 'guid', `expected a whole number or a text that is not empty, found ${quote(guid)}`);
    return undefined;
  }

  private checkedLogits(line: number, object: Record<string, unknown>): number[] | undefined {
    const key = `logits_epoch_${this.epoch}`;
    const logits = object[key];
    if (!Array.isArray(logits)) {
      const keys = Object.keys(object).slice(0, 10).map(quote).join(', ') || 'no keys';
      const found = logits === undefined ? `the object has ${keys}` : `found ${quote(logits)}`;
      this.fault(line, key, `expected a list of numbers, one a class; ${found}`);
      return undefined;
    }
    const wrong = logits.findIndex(logit => typeof logit !== 'number' || !Number.isFinite(Math.fround(logit)));
    if (wrong >= 0) {
      this.fault(line, key, `expected finite numbers, found ${quote(logits[wrong])} for class ${wrong}`);
      return undefined;
    }
    if (this.numClasses === 0 && logits.length >= 2 && logits.length <= maxClasses) this.numClasses = logits.length;
    if (logits.length === this.numClasses) return logits;
    const why = this.options.known ? `the classes of ${this.options.known.name}` : 'as in the first line';
    const expected = this.numClasses === 0 ? `2 to ${maxClasses} logits` : `${this.numClasses} logits, ${why}`;
    this.fault(line, key, `expected ${expected}, found ${logits.length}`);
    return undefined;
  }

  private gold(line: number, gold: unknown): number | undefined {
    if (Number.isInteger(gold) && Number(gold) >= 0 && Number(gold) < this.numClasses) return Number(gold);
    this.fault(line, 'gold', `expected a class index from 0 to ${this.numClasses - 1}, found ${quote(gold)}`);
    return undefined;
  }

  /** Position of the instance; undefined, with a fault, when it is unknown, late or here a second time. */
  private index(line: number, guid: string): number | undefined {
    const {known} = this.options;
    let index = this.indexOf.get(guid);
    if (index === undefined) {
      if (known) this.fault(line, 'guid', `expected the id of an instance of ${known.name}, found ${quote(guid)}`);
      else if (this.epoch > 0)
        this.fault(line, 'guid', `instance ${quote(guid)} is not in epoch 0: every instance must be in every epoch`);
      if (known || this.epoch > 0) return undefined;
      index = addGuid(this.guids, this.indexOf as Map<string, number>, guid);
    }
    const first = this.lineOf.get(index);
    if (first > 0) {
      this.fault(line, 'guid', `expected each instance once in an epoch, ${quote(guid)} is in line ${first} already`);
      return undefined;
    }
    this.lineOf.set(index, line);
    this.numSeen++;
    return index;
  }

  private keep(index: number, logits: number[]): void {
    const order = this.options.known?.classOrder;
    const start = index * this.numClasses;
    for (let c = 0; c < logits.length; c++) this.logits.set(start + (order ? order[c] : c), logits[c]);
  }

  /** The log's gold classes must be the data set's labels; where they are in another order, the message names it. */
  private checkClasses(): void {
    const {known} = this.options;
    if (!known) return;
    const labelOf = (gold: number) => known.classOrder?.[gold] ?? gold;
    const numWrong = this.confusion.reduce(
      (sum, row, gold) => sum + row.reduce((rowSum, n, label) => rowSum + (label === labelOf(gold) ? 0 : n), 0),
      0,
    );
    if (numWrong === 0) return;
    const found = this.confusion.map(row => row.flatMap((n, label) => (n > 0 ? [label] : [])));
    const isOrder = found.every(labels => labels.length === 1) && new Set(found.flat()).size === found.length;
    this.faults.add(
      'log[epoch 0]',
      isOrder
        ? `its classes are in another order than those of ${known.name}: class_names must be ${found.map(([label]) => known.classNames[label]).join(', ')}`
        : `expected the labels of ${known.name}, gold is another class for ${count(numWrong, 'instance')} of ${this.numSeen}`,
    );
    this.faults.throwIfAny();
  }

  private missing(): string {
    const {known} = this.options;
    const guids = known ? [...known.indexOf.keys()] : this.guids;
    const first = guids.find(guid => this.lineOf.get(this.indexOf.get(guid)!) === 0);
    return `${count(this.numMissing, 'instance')}, the first of them ${quote(first)}`;
  }

  private refuseMissing(): void {
    const {known} = this.options;
    const of = known ? ` of ${known.name}` : ' of epoch 0';
    this.faults.add(`log[epoch ${this.epoch}]`, `expected every instance${of} once, it lacks ${this.missing()}`);
  }
}
