// Rows, one after the other → examples, violations and warnings.
import {createHash} from 'node:crypto';
import {type FieldViolation, invalidFields} from '../errors.js';
import type {SplitFormat} from './read-split.js';
import type {Row} from './row-readers.js';
import type {Example} from './types.js';

type Role = 'text' | 'textPair' | 'label' | 'id';

/** Lone surrogates, which JSON can spell and UTF-8 cannot hold. */
const loneSurrogate = /\p{Cs}/u;

export class RowReader {
  readonly violations: FieldViolation[] = [];
  readonly examples: Example[] = [];
  readonly classCounts: number[];
  /** Rows of data, wrong ones included. */
  numRows = 0;
  private readonly classOf: Map<string, number>;
  private readonly lineOfUid = new Map<string, number>();
  private readonly labelOfText = new Map<string, number>();
  private readonly empty = {count: 0, line: 0};
  private readonly repeated = {count: 0, line: 0, relabelled: 0};
  /** Positions of the columns of a CSV or TSV file, and how many cells a row has; known after the first row. */
  private layout: {positions: Map<Role, number>; numCells: number} | undefined;
  private hasWrongColumns = false;

  constructor(private readonly format: SplitFormat) {
    this.classOf = spellings(format.classLabels);
    this.classCounts = format.classLabels.map(() => 0);
  }

  read(row: Row): void {
    if ('cells' in row && !this.layout) {
      if (!this.hasWrongColumns) this.readHeader(row.cells);
      if (this.format.hasHeaderRow || this.hasWrongColumns) return;
    }
    const index = this.numRows++;
    const before = this.violations.length;
    const problem = this.rowProblem(row);
    if (problem !== undefined) {
      this.refuse(row.line, undefined, problem);
      return;
    }
    const text = this.value(row, 'text');
    const textPair = this.format.columns.textPair === undefined ? undefined : this.value(row, 'textPair');
    const label = this.label(row);
    const uid = this.format.columns.id === undefined ? String(index) : this.value(row, 'id');
    if (uid !== undefined) this.checkUid(row.line, uid);
    if (this.violations.length > before || text === undefined || label === undefined || uid === undefined) return;
    this.keep(row.line, textPair === undefined ? {uid, text, label} : {uid, text, textPair, label});
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
    const positions = new Map<Role, number>();
    for (const role of ['text', 'textPair', 'label', 'id'] as const) {
      const column = this.format.columns[role];
      if (column === undefined) continue;
      const found = this.format.hasHeaderRow ? cells.indexOf(column) : position(column, cells.length);
      if (found >= 0 && (!this.format.hasHeaderRow || cells.lastIndexOf(column) === found)) positions.set(role, found);
      else this.violations.push({field: `columns.${snakeCase[role]}`, description: this.columnProblem(column, cells)});
    }
    if (this.violations.length > 0) this.hasWrongColumns = true;
    else this.layout = {positions, numCells: cells.length};
  }

  private columnProblem(column: string, cells: string[]): string {
    if (!this.format.hasHeaderRow)
      return `expected a position from 0 to ${cells.length - 1}, the file having no header row, found ${quote(column)}`;
    if (cells.includes(column))
      return `expected one column of this name, the header row has ${quote(column)} more than once`;
    return `expected one of the columns of the header row, ${list(cells)}, found ${quote(column)}`;
  }

  /** The cell of a role as text; undefined, with a violation, when there is none. */
  private value(row: Row, role: Role): string | undefined {
    const column = this.format.columns[role]!;
    if ('cells' in row) return row.cells[this.layout?.positions.get(role) ?? -1];
    if (!('object' in row)) return undefined;
    const value = Object.hasOwn(row.object, column) ? row.object[column] : undefined;
    const isText = role === 'text' || role === 'textPair';
    if (typeof value === 'string') {
      if (!loneSurrogate.test(value)) return value;
      this.refuse(row.line, column, 'expected Unicode text, found half of a surrogate pair');
    } else if (typeof value === 'number' && !isText) return numberText(row.source, column, value);
    else if (typeof value === 'boolean' && role === 'label') return String(value);
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
    const text = this.value(row, 'label');
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

  private refuse(line: number, column: string | undefined, description: string): void {
    this.violations.push({field: `data[line ${line}]${column === undefined ? '' : `.${column}`}`, description});
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
