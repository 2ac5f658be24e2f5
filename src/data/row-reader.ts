// Rows, one after the other → examples, violations and warnings.
import {createHash} from 'node:crypto';
import {type FieldViolation, FtftError, invalidFields} from '../errors.js';
import type {SplitFormat} from './read-split.js';
import type {Row} from './row-readers.js';
import type {Example} from './types.js';

/** V8's Map holds 2^24 entries at most. */
const maxRows = 16_000_000;

/** Lone surrogates, which JSON can spell and UTF-8 cannot hold. */
const loneSurrogate = /\p{Cs}/u;

export class RowReader {
  readonly violations: FieldViolation[] = [];
  readonly examples: Example[] = [];
  readonly classCounts: number[];
  /** Rows of data that passed the filters, wrong ones included. */
  numRows = 0;
  private numFilteredOut = 0;
  private numFiles = 0;
  private fileName = '';
  private readonly classOf: Map<string, number>;
  private readonly lineOfUid = new Map<string, number>();
  private readonly labelOfText = new Map<string, number>();
  private readonly empty = {count: 0, line: 0};
  private readonly repeated = {count: 0, line: 0, relabelled: 0};
  /** Positions of the columns of a CSV or TSV file, and how many cells a row has; known after the first row. */
  private layout: {positions: Map<string, number>; numCells: number} | undefined;
  private hasWrongColumns = false;
  private readonly filters: {column: string; values: Set<string>; isExcluding: boolean}[];

  constructor(private readonly format: SplitFormat) {
    this.classOf = spellings(format.classLabels);
    this.classCounts = format.classLabels.map(() => 0);
    this.filters = (format.filters ?? []).map(filter => ({...filter, values: new Set(filter.values)}));
  }

  /** Before the rows of each file. */
  beginFile(name = ''): void {
    this.numFiles++;
    this.fileName = name;
    this.layout = undefined;
  }

  /** Of a file whose rows have names. */
  checkColumns(names: string[]): void {
    for (const {field, column} of this.namedColumns())
      if (names.indexOf(column) < 0 || names.indexOf(column) !== names.lastIndexOf(column))
        this.violations.push({field, description: this.columnProblem(column, names)});
  }

  read(row: Row): void {
    if ('cells' in row && !this.layout) {
      if (!this.hasWrongColumns) this.readHeader(row.cells);
      if (this.format.hasHeaderRow || this.hasWrongColumns) return;
    }
    const before = this.violations.length;
    const problem = this.rowProblem(row);
    if (problem !== undefined) {
      this.numRows++;
      this.refuse(row.line, undefined, problem);
      return;
    }
    if (!this.filters.every(filter => this.passes(row, filter))) {
      if (this.violations.length === before) this.numFilteredOut++;
      return;
    }
    if (this.numRows >= maxRows)
      throw new FtftError('RESOURCE_EXHAUSTED', `Cannot read the split: expected at most ${maxRows} rows, found more`, {
        reason: 'MESSAGE_TOO_LARGE',
      });
    const index = this.numRows++;
    const {columns} = this.format;
    const text = this.value(row, columns.text, 'text');
    const textPair = columns.textPair === undefined ? undefined : this.value(row, columns.textPair, 'text');
    const label = this.label(row);
    const uid = columns.id === undefined ? String(index) : this.value(row, columns.id, 'id');
    if (uid !== undefined) this.checkUid(row.line, uid);
    if (this.violations.length > before || text === undefined || label === undefined || uid === undefined) return;
    this.keep(row.line, textPair === undefined ? {uid, text, label} : {uid, text, textPair, label});
  }

  /** Why there is no row. */
  emptyReason(): string {
    if (this.numFilteredOut === 0) return 'the file holds none';
    return `the filters leave none of ${this.numFilteredOut}`;
  }

  warnings(): string[] {
    const {empty, repeated} = this;
    const warnings: string[] = [];
    if (empty.count > 0)
      warnings.push(
        `${count(empty.count, 'instance has', 'instances have')} an empty text, the first in line ${empty.line}`,
      );
    if (repeated.count > 0)
      warnings.push(
        `${count(repeated.count, 'instance repeats', 'instances repeat')} the text of an earlier one, the first in line ` +
          `${repeated.line}; ${repeated.relabelled} of them with another label`,
      );
    return warnings;
  }

  private rowProblem(row: Row): string | undefined {
    if ('wrong' in row) return row.wrong;
    if (!('cells' in row) || row.cells.length === this.layout?.numCells) return undefined;
    return `expected ${this.layout?.numCells} cells, found ${row.cells.length}`;
  }

  private readHeader(cells: string[]): void {
    const positions = new Map<string, number>();
    for (const {field, column} of this.namedColumns()) {
      const found = this.format.hasHeaderRow ? cells.indexOf(column) : position(column, cells.length);
      if (found >= 0 && (!this.format.hasHeaderRow || cells.lastIndexOf(column) === found))
        positions.set(column, found);
      else this.violations.push({field, description: this.columnProblem(column, cells)});
    }
    if (this.violations.length > 0) this.hasWrongColumns = true;
    else this.layout = {positions, numCells: cells.length};
  }

  /** Every column that is read, and the field of the request that names it. */
  private namedColumns(): {field: string; column: string}[] {
    const {columns, filters = []} = this.format;
    const roles = (['text', 'textPair', 'label', 'id'] as const).flatMap(role => {
      const column = columns[role];
      return column === undefined ? [] : [{field: `columns.${snakeCase[role]}`, column}];
    });
    return [...roles, ...filters.map(({column}, i) => ({field: `filters[${i}].column`, column}))];
  }

  private columnProblem(column: string, cells: string[]): string {
    if (this.format.format === 'parquet')
      return cells.includes(column)
        ? `expected one column of this name, the file has ${quote(column)} more than once`
        : `expected one of the columns with one value a row, ${list(cells)}, found ${quote(column)}`;
    if (!this.format.hasHeaderRow)
      return `expected a position from 0 to ${cells.length - 1}, the file having no header row, found ${quote(column)}`;
    if (cells.includes(column))
      return `expected one column of this name, the header row has ${quote(column)} more than once`;
    return `expected one of the columns of the header row, ${list(cells)}, found ${quote(column)}`;
  }

  /** A value that is missing is none of those that a filter names. */
  private passes(row: Row, {column, values, isExcluding}: {column: string; values: Set<string>; isExcluding: boolean}) {
    if ('object' in row && (row.object[column] ?? undefined) === undefined) return isExcluding;
    const value = this.value(row, column, 'filter');
    return value !== undefined && values.has(value) !== isExcluding;
  }

  /** The cell of a column as text; undefined, with a violation, when there is none. */
  private value(row: Row, column: string, use: 'text' | 'label' | 'id' | 'filter'): string | undefined {
    if ('cells' in row) return row.cells[this.layout?.positions.get(column) ?? -1];
    if (!('object' in row)) return undefined;
    const value = Object.hasOwn(row.object, column) ? row.object[column] : undefined;
    const isText = use === 'text';
    if (typeof value === 'string') {
      if (!loneSurrogate.test(value)) return value;
      this.refuse(row.line, column, 'expected Unicode text, found half of a surrogate pair');
    } else if (typeof value === 'number' && !isText) return numberText(row.source, column, value);
    else if (typeof value === 'boolean' && (use === 'label' || use === 'filter')) return String(value);
    else if (value === undefined)
      this.refuse(row.line, column, `is missing; the object has ${list(Object.keys(row.object))}`);
    else if (value === null) this.refuse(row.line, column, 'is missing: null');
    else {
      const found = Array.isArray(value) ? 'an array' : `a ${typeof value}`;
      this.refuse(row.line, column, `expected ${isText ? 'a text' : 'a text or a number'}, found ${found}`);
    }
    return undefined;
  }

  private label(row: Row): number | undefined {
    const text = this.value(row, this.format.columns.label, 'label');
    if (text === undefined) return undefined;
    const label = this.classOf.get(text);
    if (label === undefined)
      this.refuse(
        row.line,
        this.format.columns.label,
        `expected one of ${this.spelledClasses()}, found ${quote(text)}`,
      );
    return label;
  }

  private checkUid(line: number, uid: string): void {
    if (this.format.columns.id === undefined) return;
    const first = this.lineOfUid.get(uid);
    if (uid === '') this.refuse(line, this.format.columns.id, 'expected an id, found an empty one');
    else if (first !== undefined)
      this.refuse(
        line,
        this.format.columns.id,
        `expected an id of its own, ${quote(uid)} is that of line ${first} already`,
      );
    else this.lineOfUid.set(uid, line);
  }

  private keep(line: number, example: Example): void {
    this.examples.push(example);
    this.classCounts[example.label]++;
    if (example.text.trim() === '' || example.textPair?.trim() === '') {
      if (this.empty.count++ === 0) this.empty.line = line;
    }
    const key = textKey(example);
    const label = this.labelOfText.get(key);
    if (label === undefined) this.labelOfText.set(key, example.label);
    else {
      if (this.repeated.count++ === 0) this.repeated.line = line;
      if (label !== example.label) this.repeated.relabelled++;
    }
  }

  /** line: 0 for the file as a whole. */
  refuse(line: number, column: string | undefined, description: string): void {
    const noun = this.format.format === 'parquet' ? 'row' : 'line';
    const file = this.numFiles > 1 ? [this.fileName || `file ${this.numFiles}`] : [];
    const places = [...file, ...(line > 0 ? [`${noun} ${line}`] : [])];
    const place = places.length === 0 ? '' : `[${places.join(', ')}]`;
    this.violations.push({field: `data${place}${column === undefined ? '' : `.${column}`}`, description});
  }

  private spelledClasses(): string {
    return this.format.classLabels
      .slice(0, 20)
      .map(({name, aliases}) => (aliases.length > 0 ? `${name} (aliases ${aliases.slice(0, 10).join(', ')})` : name))
      .join(', ');
  }
}

/** Equal for examples of equal texts. */
export function textKey({text, textPair}: Pick<Example, 'text' | 'textPair'>): string {
  const hash = createHash('sha256').update(text);
  if (textPair !== undefined) hash.update('\0').update(textPair);
  return hash.digest('base64');
}

const snakeCase = {text: 'text', textPair: 'text_pair', label: 'label', id: 'id'};

function spellings(classLabels: SplitFormat['classLabels']): Map<string, number> {
  const classOf = new Map<string, number>();
  classLabels.forEach(({name, aliases}, index) => {
    for (const spelling of [name, ...aliases]) {
      const other = classOf.get(spelling);
      if (other !== undefined && other !== index)
        throw invalidFields('Cannot read the class labels', [
          {field: `class_labels[${index}]`, description: `spells ${quote(spelling)}, as class_labels[${other}] does`},
        ]);
      classOf.set(spelling, index);
    }
  });
  return classOf;
}

function position(column: string, numCells: number): number {
  return /^(0|[1-9]\d{0,8})$/.test(column) && Number(column) < numCells ? Number(column) : -1;
}

/** A whole number as the file spells it, which parsing would round where it is long. */
export function integerText(source: string, key: string, value: number): string {
  return Number.isSafeInteger(value) ? String(value) : numberText(source, key, value);
}

/** A number as the file spells it: parsing would round long ids and turn 1.0 into 1. */
function numberText(source: string, key: string, value: number): string {
  const pattern = new RegExp(
    `${JSON.stringify(key).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}\\s*:\\s*(-?[\\d.eE+-]+)`,
    'g',
  );
  const spelled = [...source.matchAll(pattern)].map(([, text]) => text).filter(text => Number(text) === value);
  return spelled.at(-1) ?? String(value);
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function list(names: string[]): string {
  return names.length === 0 ? 'no columns' : names.slice(0, 20).map(quote).join(', ');
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
