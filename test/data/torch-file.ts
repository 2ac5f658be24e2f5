// Values and hostile opcodes → the bytes of a file of torch.save, as a zip archive or in the format before torch 1.6.
import {opcodes as op} from '../../src/data/pickle-opcodes.js';

/** A tensor of a file, and the storage that it shows a part of. */
export interface StoredTensor {
  name: string;
  shape: number[];
  strides?: number[];
  offset?: number;
  /** Index of its storage. */
  storage: number;
}

export interface Storage {
  /** As torch names it: Float, Half, … */
  type: string;
  bytes: Uint8Array;
  /** What the pickle says, when it lies. */
  count?: number;
}

const uint16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer);
const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const uint64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const valueBytes: Record<string, number> = {Float: 4, Double: 8, Half: 2, BFloat16: 2, Long: 8, Int: 4, Bool: 1};

/** Pieces of a pickle of protocol 2. */
export const p = {
  bytes: (...codes: number[]) => Buffer.from(codes),
  text: (text: string) => Buffer.concat([p.bytes(op.BINUNICODE), uint32(Buffer.byteLength(text)), Buffer.from(text)]),
  int: (value: number) =>
    value < 2 ** 31
      ? Buffer.concat([p.bytes(op.BININT), uint32(value)])
      : Buffer.concat([p.bytes(op.LONG1, 8), uint64(value)]),
  tuple: (...items: Uint8Array[]) => Buffer.concat([p.bytes(op.MARK), ...items, p.bytes(op.TUPLE)]),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  call: (callee: Uint8Array, ...args: Uint8Array[]) => Buffer.concat([callee, p.tuple(...args), p.bytes(op.REDUCE)]),
  dict: (...items: Uint8Array[]) => Buffer.concat([p.bytes(op.EMPTY_DICT, op.MARK), ...items, p.bytes(op.SETITEMS)]),
  whole: (...parts: Uint8Array[]) => Buffer.concat([p.bytes(op.PROTO, 2), ...parts, p.bytes(op.STOP)]),
};

export const orderedDict = p.call(p.global('collections', 'OrderedDict'));

export function tensorPickle({shape, strides, offset = 0, storage}: StoredTensor, stored: Storage): Buffer {
  const rowMajor = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const count = stored.count ?? stored.bytes.length / valueBytes[stored.type];
  const type = p.global('torch', `${stored.type}Storage`);
  const id = p.tuple(p.text('storage'), type, p.text(String(storage)), p.text('cpu'), p.int(count));
  return p.call(
    p.global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([id, p.bytes(op.BINPERSID)]),
    p.int(offset),
    p.tuple(...shape.map(p.int)),
    p.tuple(...(strides ?? rowMajor).map(p.int)),
    p.bytes(op.NEWFALSE),
    orderedDict,
  );
}

export function stateDict(tensors: StoredTensor[], storages: Storage[]): Buffer {
  const items = tensors.flatMap(tensor => [p.text(tensor.name), tensorPickle(tensor, storages[tensor.storage])]);
  return p.whole(orderedDict, p.bytes(op.MARK), ...items, p.bytes(op.SETITEMS));
}

/** Records of an archive as torch.save writes them. */
export function torchRecords(pickle: Uint8Array, storages: Storage[]): [string, Uint8Array][] {
  return [
    ['archive/data.pkl', pickle],
    ['archive/byteorder', Buffer.from('little')],
    ...storages.map(({bytes}, i): [string, Uint8Array] => [`archive/data/${i}`, bytes]),
    ['archive/version', Buffer.from('3\n')],
  ];
}

export interface ZipFaults {
  method?: number;
  /** Added to where the directory says that a record of this name is. */
  shift?: Record<string, number>;
  comment?: string;
  /** With 64-bit fields, as archives over 4 GB have them. */
  isWide?: boolean;
}

export function zip(
  records: [string, Uint8Array][],
  {method = 0, shift = {}, comment = '', isWide}: ZipFaults = {},
): Buffer {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let position = 0;
  const ones = 0xffffffff;
  for (const [name, bytes] of records) {
    const offset = position + (shift[name] ?? 0);
    const size = uint32(bytes.length);
    // torch pads the local header so that values are aligned.
    const padding = Buffer.alloc(20);
    const common = [uint16(0), uint16(0x808), uint16(method), uint32(0), uint32(0)];
    const local = [uint32(0x04034b50), ...common, size, size, uint16(name.length), uint16(padding.length)];
    parts.push(...local, Buffer.from(name), padding, bytes);
    const wide = isWide ? [uint16(9), uint16(1), Buffer.alloc(1), uint16(1), uint16(24)] : [];
    if (isWide) wide.push(uint64(bytes.length), uint64(bytes.length), uint64(offset));
    const extra = Buffer.concat(wide);
    directory.push(uint32(0x02014b50), uint16(0), ...common, ...(isWide ? [uint32(ones), uint32(ones)] : [size, size]));
    directory.push(uint16(name.length), uint16(extra.length), uint16(0), uint16(0), uint16(0), uint32(0));
    directory.push(uint32(isWide ? ones : offset), Buffer.from(name), extra);
    position += 30 + name.length + padding.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const {length: count} = records;
  const end64 = [
    uint32(0x06064b50),
    uint64(44),
    uint16(0),
    uint16(0),
    uint32(0),
    uint32(0),
    uint64(count),
    uint64(count),
  ];
  end64.push(uint64(entries.length), uint64(position));
  end64.push(uint32(0x07064b50), uint32(0), uint64(position + entries.length), uint32(1));
  const end = [uint32(0x06054b50), uint32(0), uint16(count), uint16(count), uint32(entries.length)];
  end.push(uint32(isWide ? ones : position), uint16(comment.length), Buffer.from(comment));
  return Buffer.concat([...parts, entries, ...(isWide ? end64 : []), ...end]);
}

/** The format before torch 1.6. */
export function legacyFile(pickle: Uint8Array, storages: Storage[], keys = storages.map((_, i) => String(i))): Buffer {
  const magic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');
  const system = p.dict(p.text('protocol_version'), p.int(1001), p.text('little_endian'), p.bytes(op.NEWTRUE));
  const list = Buffer.concat([p.bytes(op.EMPTY_LIST, op.MARK), ...keys.map(p.text), p.bytes(op.APPENDS)]);
  const values = storages.flatMap(({type, bytes}) => [uint64(bytes.length / valueBytes[type]), bytes]);
  return Buffer.concat([p.whole(magic), p.whole(p.int(1001)), p.whole(system), pickle, p.whole(list), ...values]);
}
