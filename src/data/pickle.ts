// A pickle of Python → numbers, texts, tuples, lists, dicts, and what its reader makes of the few globals it knows. It only moves values
// between a stack and a memo: no name is looked up, nothing is called, and all that a pickle could do beyond that is refused by name.
import {opcodes as op, opcodeName} from './pickle-opcodes.js';
import type {PickleReader} from './pickle-reader.js';

/** T is what the globals of a file stand for. */
export type PickleValue<T> = null | boolean | number | bigint | string | Sequence<T> | Dict<T> | Global | T;

export class Sequence<T> {
  constructor(
    readonly kind: 'tuple' | 'list',
    readonly items: PickleValue<T>[],
  ) {}
}

export class Dict<T> {
  readonly entries = new Map<string, PickleValue<T>>();
  constructor(readonly kind: 'dict' | 'OrderedDict') {}
}

/** A name, and nothing behind it. */
export class Global {
  constructor(readonly name: string) {}
}

export interface PickleMeaning<T> {
  /** `module.name`. */
  isKnown(name: string): boolean;
  /** What a global, which is known, stands for with these arguments; undefined when it cannot have them. */
  reduce(name: string, args: PickleValue<T>[]): PickleValue<T> | undefined;
  /** What an object stored elsewhere is; undefined for an id of another kind. */
  persistent(id: PickleValue<T>): T | undefined;
}

/** Far more than the largest state dict needs: 26 opcodes a tensor, at most 2,000 of its keys and values on the stack. */
const maxOpcodes = 1 << 20;
const maxStack = 1 << 16;

/** FAILED_PRECONDITION/MODEL_INVALID for anything that is not in PickleValue or that `meaning` does not know. */
export function unpickle<T extends object>(reader: PickleReader, meaning: PickleMeaning<T>): PickleValue<T> {
  const machine = new StackMachine(reader, meaning);
  for (let count = 0; count < maxOpcodes; count++) {
    const code = reader.opcode();
    if (code === op.STOP) return machine.pop();
    const step = machine.steps[code];
    if (step === undefined)
      throw reader.invalid(
        `opcode ${opcodeName(code)} is not part of tensors and their names, and nothing of it is run`,
      );
    step();
  }
  throw reader.invalid(`it must have at most ${maxOpcodes} opcodes`);
}

class StackMachine<T extends object> {
  private readonly stack: PickleValue<T>[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue<T>>();

  constructor(
    private readonly reader: PickleReader,
    private readonly meaning: PickleMeaning<T>,
  ) {}

  readonly steps: Record<number, () => void> = {
    [op.PROTO]: () => this.reader.byte(),
    [op.NONE]: () => this.push(null),
    [op.NEWTRUE]: () => this.push(true),
    [op.NEWFALSE]: () => this.push(false),
    [op.BININT]: () => this.push(this.reader.int32()),
    [op.BININT1]: () => this.push(this.reader.byte()),
    [op.BININT2]: () => this.push(this.reader.uint16()),
    [op.LONG1]: () => this.push(this.reader.integer(this.reader.byte())),
    [op.BINUNICODE]: () => this.push(this.reader.text(this.reader.uint32())),
    [op.MARK]: () => this.mark(),
    [op.EMPTY_TUPLE]: () => this.push(new Sequence('tuple', [])),
    [op.TUPLE1]: () => this.push(new Sequence('tuple', this.popMany(1))),
    [op.TUPLE2]: () => this.push(new Sequence('tuple', this.popMany(2))),
    [op.TUPLE3]: () => this.push(new Sequence('tuple', this.popMany(3))),
    [op.TUPLE]: () => this.push(new Sequence('tuple', this.popToMark())),
    [op.EMPTY_LIST]: () => this.push(new Sequence('list', [])),
    [op.APPEND]: () => this.append(this.popMany(1)),
    [op.APPENDS]: () => this.append(this.popToMark()),
    [op.EMPTY_DICT]: () => this.push(new Dict('dict')),
    [op.SETITEM]: () => this.setItems(this.popMany(2)),
    [op.SETITEMS]: () => this.setItems(this.popToMark()),
    [op.BINPUT]: () => this.memo.set(this.reader.byte(), this.top()),
    [op.LONG_BINPUT]: () => this.memo.set(this.reader.uint32(), this.top()),
    [op.BINGET]: () => this.recall(this.reader.byte()),
    [op.LONG_BINGET]: () => this.recall(this.reader.uint32()),
    [op.GLOBAL]: () => this.global(),
    [op.REDUCE]: () => this.reduce(),
    [op.BINPERSID]: () => this.persistent(),
    [op.BUILD]: () => this.build(),
  };

  pop(): PickleValue<T> {
    return this.popMany(1)[0];
  }

  private top(): PickleValue<T> {
    const {length} = this.stack;
    if (length <= (this.marks.at(-1) ?? 0)) throw this.reader.invalid('a value must be on its stack, found none');
    return this.stack[length - 1];
  }

  private push(value: PickleValue<T>): void {
    if (this.stack.push(value) > maxStack) throw this.reader.invalid(`it must have at most ${maxStack} values at once`);
  }

  private popMany(count: number): PickleValue<T>[] {
    const from = this.stack.length - count;
    if (from < (this.marks.at(-1) ?? 0)) throw this.reader.invalid('a value must be on its stack, found none');
    return this.stack.splice(from);
  }

  private mark(): void {
    if (this.marks.push(this.stack.length) > maxStack)
      throw this.reader.invalid(`it must have at most ${maxStack} marks`);
  }

  private popToMark(): PickleValue<T>[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.reader.invalid('a mark must be on its stack, found none');
    return this.stack.splice(mark);
  }

  private append(items: PickleValue<T>[]): void {
    const list = this.top();
    if (!(list instanceof Sequence) || list.kind !== 'list') throw this.reader.invalid('only a list may grow');
    list.items.push(...items);
  }

  private setItems(items: PickleValue<T>[]): void {
    const dict = this.top();
    if (!(dict instanceof Dict) || items.length % 2 !== 0)
      throw this.reader.invalid('only a dict may take items, and in pairs');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string') throw this.reader.invalid('the keys of a dict must be texts');
      dict.entries.set(key, items[i + 1]);
    }
  }

  private recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.reader.invalid(`the memo must hold value ${index}, which is not there`);
    this.push(value);
  }

  private global(): void {
    const name = `${this.reader.line()}.${this.reader.line()}`;
    if (!this.meaning.isKnown(name))
      throw this.reader.invalid(
        `global ${JSON.stringify(name.slice(0, 100))} is not part of tensors and their names, and nothing of it is run`,
      );
    this.push(new Global(name));
  }

  private reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof Global) || !(args instanceof Sequence) || args.kind !== 'tuple')
      throw this.reader.invalid('REDUCE must have a global and a tuple, and nothing of it is run');
    const value = this.meaning.reduce(callee.name, args.items);
    if (value === undefined)
      throw this.reader.invalid(`${callee.name} must have the arguments that torch.save gives it`);
    this.push(value);
  }

  private persistent(): void {
    const value = this.meaning.persistent(this.pop());
    if (value === undefined) throw this.reader.invalid('what is stored outside of it must be a storage of numbers');
    this.push(value);
  }

  /** Attributes of a state dict, such as _metadata, are not needed. */
  private build(): void {
    this.pop();
    const target = this.top();
    if (!(target instanceof Dict) || target.kind !== 'OrderedDict')
      throw this.reader.invalid('BUILD must have an OrderedDict, and nothing of it is run');
  }
}
