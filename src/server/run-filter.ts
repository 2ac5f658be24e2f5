// ListRunsRequest.filter → a test of runs. The language is that of https://google.aip.dev/160, over state, kind, labels and create_time:
// AND, OR (which binds tighter), NOT or -, brackets, the comparisons = != < <= > >=, and : for a label that is there.
import {shown} from '../runs/field-rules.js';
import {type RunState, runStates} from '../runs/run-state.js';
import {type RunKind, type RunRecord, runKinds} from '../runs/types.js';
import {FilterError, type Token, tokensOf} from './filter-tokens.js';

export type RunFilter = (run: RunRecord) => boolean;

const maxLength = 2000;
const maxDepth = 50;
const comparators: Record<string, ((order: number) => boolean) | undefined> = {
  '=': order => order === 0,
  '!=': order => order !== 0,
  '<': order => order < 0,
  '<=': order => order <= 0,
  '>': order => order > 0,
  '>=': order => order >= 0,
};
const keywords = ['AND', 'OR', 'NOT'];

/** '' takes every run. Throws FilterError. */
export function parseRunFilter(source: string): RunFilter {
  if (source.trim() === '') return () => true;
  if (source.length > maxLength)
    throw new FilterError(`must be at most ${maxLength} characters, current length is ${source.length}`);
  return new Parser(tokensOf(source)).filter();
}

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly tokens: Token[]) {}

  filter(): RunFilter {
    const filter = this.expression();
    if (this.next.kind !== 'end') throw this.unexpected('AND, OR or the end');
    return filter;
  }

  private get next(): Token {
    return this.tokens[this.at];
  }

  private is(kind: Token['kind'], value: string): boolean {
    return this.next.kind === kind && this.next.value === value;
  }

  private take(kind: Token['kind'], value: string): boolean {
    const isIt = this.is(kind, value);
    if (isIt) this.at++;
    return isIt;
  }

  private expression(): RunFilter {
    const all = [this.choice()];
    // Two conditions side by side are both meant.
    while (this.take('word', 'AND') || !(this.next.kind === 'end' || this.is('sign', ')'))) all.push(this.choice());
    return run => all.every(matches => matches(run));
  }

  private choice(): RunFilter {
    const any = [this.term()];
    while (this.take('word', 'OR')) any.push(this.term());
    return run => any.some(matches => matches(run));
  }

  private term(): RunFilter {
    if (this.take('word', 'NOT') || this.take('sign', '-')) {
      const matches = this.simple();
      return run => !matches(run);
    }
    return this.simple();
  }

  private simple(): RunFilter {
    if (!this.take('sign', '(')) return this.comparison();
    if (++this.depth > maxDepth) throw new FilterError(`must have at most ${maxDepth} brackets within each other`);
    const filter = this.expression();
    if (!this.take('sign', ')')) throw this.unexpected('AND, OR or )');
    this.depth--;
    return filter;
  }

  private comparison(): RunFilter {
    const field = this.next;
    if (field.kind !== 'word' || keywords.includes(field.value))
      throw this.unexpected('state, kind, create_time or labels');
    this.at++;
    switch (field.value) {
      case 'state':
        return this.named('state', runStates, run => run.state);
      case 'kind':
        return this.named('kind', runKinds, run => run.kind);
      case 'create_time':
        return this.time();
      case 'labels':
        return this.label();
      default:
        this.at--;
        throw this.unexpected('state, kind, create_time or labels');
    }
  }

  private comparator(allowed: string[]): string {
    const {kind, value} = this.next;
    if (kind !== 'sign' || !allowed.includes(value)) throw this.unexpected(allowed.join(' or '));
    this.at++;
    return value;
  }

  private argument(): string {
    const {kind, value} = this.next;
    if (!(kind === 'text' || kind === 'word')) throw this.unexpected('a value');
    this.at++;
    return value;
  }

  private named<T extends RunState | RunKind>(
    field: string,
    values: readonly T[],
    actual: (run: RunRecord) => T,
  ): RunFilter {
    const isEqual = this.comparator(['=', '!=']) === '=';
    const wanted = this.argument();
    // As it is written in JSON, and short.
    const found = values.find(value => value === wanted.toUpperCase().replace(`${field.toUpperCase()}_`, ''));
    if (!found) throw new FilterError(`has ${field} ${shown(wanted)}, which must be one of ${values.join(', ')}`);
    return run => (actual(run) === found) === isEqual;
  }

  private time(): RunFilter {
    const compares = comparators[this.comparator(Object.keys(comparators))]!;
    const text = this.argument();
    const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
    if (Number.isNaN(time))
      throw new FilterError(
        `has create_time ${shown(text)}, which must be a time as "2026-11-01T09:00:00Z" in quotation marks, or a day as 2026-11-01`,
      );
    return ({createTime}) => compares(createTime - time);
  }

  private label(): RunFilter {
    if (this.take('sign', ':')) {
      const name = this.argument();
      return ({labels}) => Object.hasOwn(labels, name);
    }
    if (!this.take('sign', '.')) throw this.unexpected('labels.NAME = VALUE or labels:NAME');
    const name = this.argument();
    const sign = this.comparator(['=', '!=', ':']);
    const wanted = this.argument();
    const isWanted = sign === ':' && wanted === '*' ? () => true : patternOf(wanted);
    return ({labels}) => (Object.hasOwn(labels, name) && isWanted(labels[name])) === (sign !== '!=');
  }

  private unexpected(expected: string): FilterError {
    const {kind, value, place} = this.next;
    const found = kind === 'end' ? 'its end' : `${shown(value)} at character ${place}`;
    return new FilterError(`must have ${expected}, found ${found}`);
  }
}

/** A star at the beginning or the end stands for anything. */
function patternOf(wanted: string): (value: string) => boolean {
  const [isOpenBefore, isOpenBehind] = [wanted.startsWith('*'), wanted.length > 1 && wanted.endsWith('*')];
  const middle = wanted.slice(isOpenBefore ? 1 : 0, isOpenBehind ? -1 : undefined);
  if (isOpenBefore && isOpenBehind) return value => value.includes(middle);
  if (isOpenBefore) return value => value.endsWith(middle);
  if (isOpenBehind) return value => value.startsWith(middle);
  return value => value === wanted;
}
