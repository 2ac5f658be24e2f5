import assert from 'node:assert/strict';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {opcodes as op, opcodeName} from '../../src/data/pickle-opcodes.js';
import {openTorchCheckpoint} from '../../src/data/torch-checkpoint.js';
import type {NamedTensor} from '../../src/data/types.js';
import {ftftError, temporaryFolder} from './model-folder.js';
import {legacyFile, orderedDict, p, type Storage, stateDict, tensorPickle, torchRecords, zip} from './torch-file.js';

const storages: Storage[] = [{type: 'Float', bytes: Buffer.alloc(16)}];
const tensor = tensorPickle({name: 'a', shape: [4], storage: 0}, storages[0]);

/** Opens an archive, and a file of the old format, whose state dict is this pickle. */
async function opener(t: TestContext) {
  const folder = await temporaryFolder(t);
  const open = (pickle: Uint8Array, isLegacy: boolean): Map<string, NamedTensor> => {
    const path = join(folder, 'pytorch_model.bin');
    writeFileSync(path, isLegacy ? legacyFile(pickle, storages) : zip(torchRecords(pickle, storages)));
    return openTorchCheckpoint(path);
  };
  const refuses = (pickle: Uint8Array, message: RegExp) => {
    for (const isLegacy of [false, true])
      assert.throws(() => open(pickle, isLegacy), ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message));
  };
  return {folder, open, refuses};
}

test('a state dict, its attributes and parameters are read', async t => {
  const {open} = await opener(t);
  const parameter = p.call(p.global('torch._utils', '_rebuild_parameter'), tensor, p.bytes(op.NEWTRUE), orderedDict);
  const older = p.call(
    p.global('torch._utils', '_rebuild_tensor'),
    Buffer.concat([tensor.subarray(tensor.indexOf('(') + 1, tensor.indexOf('Q') + 1)]),
    p.int(1),
    p.tuple(p.int(3)),
    p.tuple(p.int(1)),
  );
  const items = [p.text('a'), tensor, p.text('__proto__'), parameter, p.text('c'), older];
  const attributes = p.dict(p.text('_metadata'), p.dict(p.text(''), p.dict(p.text('version'), p.int(1))));
  const pickle = p.whole(
    ...[orderedDict, p.bytes(op.MARK), ...items, p.bytes(op.SETITEMS), attributes, p.bytes(op.BUILD)],
  );
  for (const isLegacy of [false, true])
    assert.deepEqual(
      [...open(pickle, isLegacy).values()].map(({name, shape}) => [name, shape]),
      [
        ['a', [4]],
        ['__proto__', [4]],
        ['c', [3]],
      ],
    );
});

test('what would run code in Python is refused by name, and does nothing', async t => {
  const {folder, refuses} = await opener(t);
  const marker = join(folder, 'marker');
  const command = p.text(`touch ${marker}`);
  const code = p.text(`__import__("os").system("touch ${marker}")`);
  const calls: [string, string, Uint8Array][] = [
    ['os', 'system', command],
    ['posix', 'system', command],
    ['nt', 'system', command],
    ['builtins', 'eval', code],
    ['builtins', 'exec', code],
    ['__builtin__', 'eval', code],
    ['builtins', 'getattr', code],
    ['subprocess', 'check_output', command],
    ['runpy', '_run_code', code],
    ['importlib', 'import_module', code],
    ['torch', 'load', command],
    ['torch.hub', 'load', command],
    ['torch._utils', '_rebuild_from_type_v2', command],
    ['torch.storage', '_load_from_bytes', command],
    ['torch', 'FloatStorage.__class__', command],
    ['collections', 'OrderedDict.fromkeys', command],
    ['numpy.core.multiarray', '_reconstruct', command],
    ['constructor', 'constructor', code],
    ['', '__proto__', code],
  ];
  for (const [module, name, argument] of calls) {
    const message = new RegExp(
      `global "${module}.${name}" is not part of tensors and their names, and nothing of it is run`,
    );
    refuses(p.whole(p.call(p.global(module, name), argument)), message);
    // As the value of a tensor, behind one that is right.
    const items = [p.text('a'), tensor, p.text('b'), p.call(p.global(module, name), argument)];
    refuses(p.whole(orderedDict, p.bytes(op.MARK), ...items, p.bytes(op.SETITEMS)), message);
  }
  refuses(Buffer.from(`(S'touch ${marker}'\nios\nsystem\n.`), /opcode STRING is not part of tensors/);
  refuses(Buffer.from(`(ios\nsystem\n.`), /opcode INST is not part of tensors/);
  refuses(p.whole(p.global('os', 'system'), p.tuple(command), p.bytes(0x81)), /global "os.system"/);
  assert.ok(!existsSync(marker));
});

test('every opcode that tensors do not need is refused by its name', async t => {
  const {refuses} = await opener(t);
  const known = new Set<number>(Object.values(op));
  const others = Array.from({length: 256}, (_, code) => code).filter(code => !known.has(code));
  assert.equal(others.length, 226);
  for (const code of others)
    refuses(p.whole(tensor, p.bytes(code)), new RegExp(`refused at byte \\d+: opcode ${opcodeName(code)} is not part`));
  assert.deepEqual([0x93, 0x52, 0x69, 0x00].map(opcodeName), ['STACK_GLOBAL', 'REDUCE', 'INST', '0x00']);
});

test('the globals that are known take nothing but what torch.save gives them', async t => {
  const {refuses} = await opener(t);
  const rebuild = p.global('torch._utils', '_rebuild_tensor_v2');
  const storage = p.global('torch', 'FloatStorage');
  const id = (...items: Uint8Array[]) => Buffer.concat([p.tuple(...items), p.bytes(op.BINPERSID)]);
  const right = [p.text('storage'), storage, p.text('0'), p.text('cpu'), p.int(4)];
  const arguments_ = /must have the arguments that torch.save gives it/;
  const outside = /what is stored outside of it must be a storage of numbers/;
  refuses(p.whole(p.call(p.global('collections', 'OrderedDict'), p.tuple())), arguments_);
  refuses(p.whole(p.call(storage, p.int(1))), arguments_);
  refuses(p.whole(p.call(rebuild)), arguments_);
  refuses(p.whole(p.call(rebuild, tensor, p.int(0), p.tuple(p.int(1)), p.tuple(p.int(1)))), arguments_);
  refuses(p.whole(p.call(rebuild, id(...right), p.int(-1 >>> 0), p.tuple(), p.int(1))), arguments_);
  refuses(p.whole(p.call(p.global('torch._utils', '_rebuild_parameter'), orderedDict)), arguments_);
  refuses(p.whole(p.call(p.text('os.system'), p.text('ls'))), /REDUCE must have a global and a tuple/);
  refuses(p.whole(p.call(tensor, p.text('ls'))), /REDUCE must have a global and a tuple/);
  refuses(p.whole(storage, p.bytes(op.EMPTY_LIST, op.REDUCE)), /REDUCE must have a global and a tuple/);
  refuses(p.whole(p.text('0'), p.bytes(op.BINPERSID)), outside);
  refuses(p.whole(id(p.text('module'), ...right.slice(1))), outside);
  refuses(p.whole(id(p.text('storage'), rebuild, ...right.slice(2))), outside);
  refuses(p.whole(id(...right.slice(0, 4))), outside);
  refuses(p.whole(id(...right, p.tuple(p.text('view'), p.int(0), p.int(2)))), outside);
  refuses(p.whole(p.global('torch', 'ComplexFloatStorage')), /global "torch.ComplexFloatStorage"/);
  refuses(p.whole(tensor, p.dict(), p.bytes(op.BUILD)), /BUILD must have an OrderedDict/);
  refuses(p.whole(p.dict(), p.dict(), p.bytes(op.BUILD)), /BUILD must have an OrderedDict/);
});

test('a pickle that is no dict of tensors is refused by what it holds', async t => {
  const {refuses} = await opener(t);
  refuses(p.whole(tensor), /must be a dict of tensors/);
  refuses(p.whole(p.bytes(op.NONE)), /must be a dict of tensors/);
  refuses(p.whole(p.dict(p.text('epoch'), p.int(3))), /"epoch" must be a tensor: only a plain state dict is read/);
  refuses(p.whole(p.dict(p.text('model'), p.dict(p.text('a'), tensor))), /"model" must be a tensor/);
  refuses(p.whole(p.dict(p.int(1), tensor)), /the keys of a dict must be texts/);
});

test('a pickle that breaks the rules of its stack and memo is refused', async t => {
  const {refuses} = await opener(t);
  const cases: [Uint8Array[], RegExp][] = [
    [[], /a value must be on its stack/],
    [[p.bytes(op.MARK)], /a value must be on its stack/],
    [[p.bytes(op.NONE, op.MARK, op.TUPLE1)], /a value must be on its stack/],
    [[p.bytes(op.TUPLE)], /a mark must be on its stack/],
    [[p.bytes(op.BINPUT, 1)], /a value must be on its stack/],
    [[p.bytes(op.BINGET, 7)], /the memo must hold value 7/],
    [[p.bytes(op.LONG_BINGET, 1, 0, 0, 1)], /the memo must hold value 16777217/],
    [[p.bytes(op.EMPTY_DICT, op.MARK, op.NONE, op.SETITEMS)], /only a dict may take items, and in pairs/],
    [[p.bytes(op.EMPTY_TUPLE, op.NONE, op.APPEND)], /only a list may grow/],
    [[p.bytes(op.EMPTY_LIST, op.NONE, op.NONE, op.SETITEM)], /only a dict may take items/],
    [[p.bytes(op.BINUNICODE, 2, 0, 0, 0, 0xc3, 0x28)], /a text must be UTF-8/],
    [[Buffer.from(`c${'m'.repeat(300)}`)], /a line must have at most 256 bytes/],
  ];
  for (const [parts, message] of cases) refuses(p.whole(...parts), message);
});

test('sizes that a pickle claims cost nothing, and nesting and repetition little', {timeout: 60_000}, async t => {
  const {open, refuses} = await opener(t);
  const before = process.memoryUsage.rss();
  refuses(p.whole(p.bytes(op.BINUNICODE, 0xff, 0xff, 0xff, 0xff)), /must end before byte \d+ of the file/);
  refuses(p.whole(p.bytes(op.LONG1, 255), Buffer.alloc(255, 0x7f)), /must be a dict of tensors/);
  // Each list holds the one before twice: 2^200 lists for whoever walks them.
  const twice = (i: number) =>
    p.bytes(op.EMPTY_LIST, op.BINPUT, i, op.BINGET, i - 1, op.APPEND, op.BINGET, i - 1, op.APPEND);
  const laughs = Array.from({length: 200}, (_, i) => twice(i + 1));
  refuses(p.whole(p.bytes(op.EMPTY_LIST, op.BINPUT, 0), ...laughs), /must be a dict of tensors/);
  refuses(p.whole(p.bytes(op.EMPTY_LIST, op.BINPUT, 0, op.BINGET, 0, op.APPEND)), /must be a dict of tensors/);
  const many = 900_000;
  refuses(p.whole(p.bytes(op.NONE), Buffer.alloc(many, op.TUPLE1)), /must be a dict of tensors/);
  refuses(p.whole(Buffer.alloc(many, op.MARK)), /must have at most 65536 marks/);
  refuses(p.whole(Buffer.alloc(many, op.EMPTY_DICT)), /must have at most 65536 values at once/);
  refuses(p.whole(Buffer.alloc(2 * many, Buffer.from([op.PROTO, 2]))), /must be on its stack/);
  refuses(p.whole(Buffer.alloc(3 * many, Buffer.from([op.PROTO, 2]))), /must have at most 1048576 opcodes/);
  const name = 'n'.repeat(17 << 20);
  refuses(stateDict([{name, shape: [4], storage: 0}], storages), /must end before byte/);
  assert.equal(open(stateDict([{name: 'a', shape: [4], storage: 0}], storages), false).size, 1);
  assert.ok(process.memoryUsage.rss() - before < 400 << 20);
});
