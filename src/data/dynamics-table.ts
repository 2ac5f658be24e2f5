// A table of p_true, one row an instance and epoch (guid, epoch, p_true, and correct and gold where it has them) → columns by instance.
import {decompressed} from './decompress.js';
import {
  addGuid,
  bytes,
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
import {type ParquetFile, withParquet} from './parquet.js';
import {integerText} from './row-reader.js';
import {csvRows} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';

/** Values of one row as the file has them, in the order of `tableColumns`; undefined where it has no such column. */
interface TableRow {
  /** Line of a CSV file, row of a Parquet file, from 1. */
  place: number;
  values: unknown[];
}

const tableColumns = ['guid', 'epoch', 'p_true', 'correct', 'gold'] as const;
const numRequired = 3;
const maxLineBytes = 1 << 20;
const maxEpochs = 10_000;
const unknownCorrect = 2;

/**
 * Instances in the order of the data set, else in that in which they first come. Rows may come in any order. Without a column
 * correct an instance counts as right where p_true is above one half, and a warning says where that is not known.
 * INVALID_ARGUMENT/ROWS_INVALID for what is wrong.
 */
export async function readDynamicsTable(
  bytes: AsyncIterable<Uint8Array>,
  format: 'csv' | 'parquet',
  options: DynamicsOptions,
): Promise<ImportedDynamics> {
  const {maxBytes = defaultMaxBytes, temporaryFolder} = options;
  const noun = format === 'csv' ? 'line' : 'row';
  const reader = new TableReader(noun, options);
  const table = decompressed(bytes, {fileName: 'the table', maxBytes});
  try {
    if (format === 'csv') for await (const row of csvTableRows(table)) reader.read(row);
    else {
      const [wanted, others] = [tableColumns.slice(0, numRequired), tableColumns.slice(numRequired)];
      await withParquet(table, {wanted, others, maxRowBytes: maxLineBytes, temporaryFolder}, async file => {
        columnPositions(file.columns);
        for await (const row of parquetTableRows(file)) reader.read(row);
      });
    }
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    reader.faults.add(error.line > 0 ? `table[${noun} ${error.line}]` : 'table', error.message);
  }
  return reader.result();
}

/** Positions of the columns in a header; ROWS_INVALID where one is missing or there twice. */
function columnPositions(header: readonly string[]): number[] {
  const faults = new Faults();
  const positions = tableColumns.map((name, i) => {
    const position = header.indexOf(name);
    if (position < 0 && i < numRequired)
      faults.add(`table.${name}`, `expected a column of this name, found ${header.slice(0, 20).map(quote).join(', ')}`);
    if (position !== header.lastIndexOf(name)) faults.add(`table.${name}`, 'expected one column of this name');
    return position;
  });
  faults.throwIfAny();
  return positions;
}

async function* csvTableRows(file: AsyncIterable<Uint8Array>): AsyncGenerator<TableRow> {
  let positions: number[] | undefined;
  let numCells = 0;
  for await (const row of csvRows(lineBlocks(file, maxLineBytes), maxLineBytes)) {
    if (!('cells' in row)) continue;
    const {cells, line} = row;
    if (!positions) [positions, numCells] = [columnPositions(cells), cells.length];
    else if (cells.length !== numCells) throw new LineError(line, `expected ${numCells} cells, found ${cells.length}`);
    else yield {place: line, values: positions.map(position => (position < 0 ? undefined : cells[position]))};
  }
}

async function* parquetTableRows({columns, rows}: ParquetFile): AsyncGenerator<TableRow> {
  const names = tableColumns.filter(name => columns.includes(name));
  for await (const row of rows) {
    if (!('object' in row)) continue;
    const {object, source, line} = row;
    const value = (name: string) => (names.includes(name as (typeof names)[number]) ? object[name] : undefined);
    const {guid} = object;
    // A long whole number is not to be rounded.
    const exact = typeof guid === 'number' && Number.isInteger(guid) ? integerText(source, 'guid', guid) : guid;
    yield {place: line, values: [exact, ...tableColumns.slice(1).map(value)]};
  }
}

interface Epoch {
  pTrue: GrowingColumn<Float32Array>;
  correct: GrowingColumn<Uint8Array>;
  numSeen: number;
}

class TableReader {
  readonly faults = new Faults();
  private readonly budget: ColumnBudget;
  private readonly epochs: Epoch[] = [];
  private readonly guids: string[] = [];
  private readonly indexOf: Map<string, number> | ReadonlyMap<string, number>;
  /** As the table numbers the classes, -1 where it does not say. */
  private readonly golds: GrowingColumn<Int32Array>;

  constructor(
    private readonly noun: string,
    private readonly options: DynamicsOptions,
  ) {
    this.budget = new ColumnBudget(options.maxColumnBytes);
    this.golds = new GrowingColumn(this.budget, integers, -1);
    this.indexOf = options.known?.indexOf ?? new Map<string, number>();
  }

  read({place, values}: TableRow): void {
    const [guid, epoch, pTrue, correct, gold] = values;
    const before = this.faults.violations.length;
    const at = this.epoch(place, epoch);
    const p = number(pTrue);
    if (!(p >= 0 && p <= 1)) this.fault(place, 'p_true', `expected a probability from 0 to 1, found ${quote(pTrue)}`);
    const isRight = this.correct(place, correct);
    const index = this.index(place, guid);
    if (this.faults.violations.length > before || index === undefined || at === undefined) return;
    this.gold(place, index, gold);
    if (!Number.isNaN(at.pTrue.get(index))) {
      this.fault(place, 'guid', `expected each instance once in an epoch, ${quote(guid)} is in epoch ${epoch} already`);
      return;
    }
    at.pTrue.set(index, p);
    at.correct.set(index, isRight);
    at.numSeen++;
  }

  result(): ImportedDynamics {
    const {known, dropPartialLastEpoch} = this.options;
    const warnings: string[] = [];
    if (this.epochs.length === 0 && this.faults.violations.length === 0)
      this.faults.add('table', 'expected at least one row, the file holds none');
    this.faults.throwIfAny();
    const numInstances = known?.labels.length ?? this.guids.length;
    const last = this.epochs.length - 1;
    for (const [e, epoch] of [...this.epochs.entries()]) {
      if (epoch.numSeen === numInstances) continue;
      if (epoch.numSeen === 0) this.faults.add(`table[epoch ${e}]`, `epoch ${e} is missing: epochs must run from 0`);
      else if (e === last && e > 0 && dropPartialLastEpoch) {
        warnings.push(`epoch ${e} was dropped: it lacks ${this.missing(epoch, numInstances)}`);
        this.epochs.pop();
      } else
        this.faults.add(
          `table[epoch ${e}]`,
          `expected every instance once, it lacks ${this.missing(epoch, numInstances)}`,
        );
    }
    this.faults.throwIfAny();
    const golds = known?.labels ?? this.golds.toArray(numInstances);
    const numClasses = known?.classNames.length ?? 0;
    const epochs = this.epochs.map(epoch => ({
      pTrue: epoch.pTrue.toArray(numInstances),
      isCorrect: epoch.correct.toArray(numInstances),
    }));
    const numUnknown = epochs.reduce((sum, epoch) => sum + guessCorrect(epoch, golds, numClasses), 0);
    if (numUnknown > 0)
      warnings.push(
        `${count(numUnknown, 'value')} of p_true of ${numInstances * epochs.length} may or may not be the largest probability and ` +
          'count as wrong; a column correct (0 or 1) would say',
      );
    return {guids: known ? undefined : this.guids, golds, numClasses, epochs, warnings};
  }

  private fault(place: number, column: string, description: string): void {
    this.faults.add(`table[${this.noun} ${place}].${column}`, description);
  }

  private epoch(place: number, value: unknown): Epoch | undefined {
    const epoch = number(value);
    if (!(Number.isInteger(epoch) && epoch >= 0 && epoch < maxEpochs)) {
      this.fault(place, 'epoch', `expected a whole number from 0 to ${maxEpochs - 1}, found ${quote(value)}`);
      return undefined;
    }
    while (this.epochs.length <= epoch)
      this.epochs.push({
        pTrue: new GrowingColumn(this.budget, floats, Number.NaN),
        correct: new GrowingColumn(this.budget, bytes, unknownCorrect),
        numSeen: 0,
      });
    return this.epochs[epoch];
  }

  private correct(place: number, value: unknown): number {
    if (value === undefined) return unknownCorrect;
    const text = String(value).toLowerCase();
    if (text === '1' || text === 'true') return 1;
    if (text !== '0' && text !== 'false') this.fault(place, 'correct', `expected 0 or 1, found ${quote(value)}`);
    return 0;
  }

  private index(place: number, value: unknown): number | undefined {
    const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
    const guid = isWhole ? String(value) : value;
    if (typeof guid !== 'string' || guid === '') {
      this.fault(place, 'guid', `expected a whole number or a text that is not empty, found ${quote(value)}`);
      return undefined;
    }
    const index = this.indexOf.get(guid);
    if (index !== undefined) return index;
    const {known} = this.options;
    if (known) {
      this.fault(place, 'guid', `expected the id of an instance of ${known.name}, found ${quote(guid)}`);
      return undefined;
    }
    return addGuid(this.guids, this.indexOf as Map<string, number>, guid);
  }

  private gold(place: number, index: number, value: unknown): void {
    if (value === undefined) return;
    const {known} = this.options;
    const numClasses = known?.classNames.length ?? maxClasses;
    const gold = number(value);
    if (!(Number.isInteger(gold) && gold >= 0 && gold < numClasses)) {
      this.fault(place, 'gold', `expected a class index from 0 to ${numClasses - 1}, found ${quote(value)}`);
      return;
    }
    const label = known?.classOrder?.[gold] ?? gold;
    const expected = known ? known.labels[index] : this.golds.get(index);
    if (expected >= 0 && label !== expected) {
      const why = known ? `the label in ${known.name}, ${known.classNames[expected]}` : 'as before';
      this.fault(place, 'gold', `expected ${expected}, ${why}, found ${gold}`);
    } else this.golds.set(index, label);
  }

  private missing({pTrue}: Epoch, numInstances: number): string {
    const values = pTrue.toArray(numInstances);
    const guids = this.options.known ? [...this.options.known.indexOf.keys()] : this.guids;
    const first = guids.find(guid => Number.isNaN(values[this.indexOf.get(guid)!]));
    const numMissing = values.reduce((sum, value) => sum + Number(Number.isNaN(value)), 0);
    return `${count(numMissing, 'instance')}, the first of them ${quote(first)}`;
  }
}

/** Fills in what p_true alone says of the arg-max, wrong where it does not; how many of these there are. */
function guessCorrect(
  epoch: {pTrue: Float32Array; isCorrect: Uint8Array},
  golds: Int32Array,
  numClasses: number,
): number {
  const {pTrue, isCorrect} = epoch;
  let numUnknown = 0;
  for (let i = 0; i < pTrue.length; i++) {
    if (isCorrect[i] !== unknownCorrect) continue;
    const p = pTrue[i];
    // Of two equal probabilities the first class wins.
    const isRight = p > 0.5 || (p === 0.5 && golds[i] === 0);
    isCorrect[i] = Number(isRight);
    const isKnown = isRight || numClasses === 2 || (numClasses > 0 && p * numClasses < 1);
    if (!isKnown) numUnknown++;
  }
  return numUnknown;
}

/** NaN for what is no number. */
function number(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}
