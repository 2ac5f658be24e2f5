// A Parquet file by hand: one required INT32 column `label` in one row group, whose headers may lie.

/** Thrift's compact protocol: [field id, value]; numbers are i32, bigints i64. */
type Value = number | bigint | string | boolean | Value[] | Field[] | {list: Value[]};
type Field = [number, Value];

const isStruct = (value: Value): value is Field[] =>
  Array.isArray(value) && value.every(item => Array.isArray(item) && item.length === 2 && typeof item[0] === 'number');

function typeOf(value: Value): number {
  if (typeof value === 'boolean') return value ? 1 : 2;
  if (typeof value === 'number') return 5;
  if (typeof value === 'bigint') return 6;
  if (typeof value === 'string') return 8;
  return isStruct(value) ? 12 : 9;
}

function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
}
const zigzag = (value: bigint): number[] => varint(value < 0n ? -2n * value - 1n : 2n * value);

function encode(value: Value): number[] {
  if (typeof value === 'boolean') return [];
  if (typeof value === 'number' || typeof value === 'bigint') return zigzag(BigInt(value));
  if (typeof value === 'string') return [...varint(BigInt(value.length)), ...Buffer.from(value)];
  if (isStruct(value)) return struct(value);
  const {list} = value as {list: Value[]};
  return [(list.length << 4) | typeOf(list[0]), ...list.flatMap(encode)];
}

function struct(fields: Field[]): number[] {
  let last = 0;
  const bytes = fields.flatMap(([id, value]) => {
    const header = ((id - last) << 4) | typeOf(value);
    last = id;
    return [header, ...encode(value)];
  });
  return [...bytes, 0];
}

export interface ParquetLies {
  rows?: number;
  /** num_values of the data page. */
  values?: number;
  uncompressedPageBytes?: number;
  compressedPageBytes?: number;
  dictionaryValues?: number;
  /** Length of the run-length encoded run of indices, as its header says. */
  run?: number;
  chunkBytes?: number;
  pageOffset?: number;
  footerBytes?: number;
  codec?: number;
  numValues?: number;
}

/** Three rows of class 7, unless it lies. */
export function parquetFile(lies: ParquetLies = {}): Buffer {
  const {rows = 3} = lies;
  const page = (type: number, bytes: number[], more: Field, isData: boolean) => {
    const sizes: Field[] = [
      [2, (isData ? lies.uncompressedPageBytes : undefined) ?? bytes.length],
      [3, (isData ? lies.compressedPageBytes : undefined) ?? bytes.length],
    ];
    return [...struct([[1, type], ...sizes, more]), ...bytes];
  };
  const dictionaryHeader: Field[] = [
    [1, lies.dictionaryValues ?? 1],
    [2, 0],
  ];
  const dictionary = page(2, [7, 0, 0, 0], [7, dictionaryHeader], false);
  const indices = [1, ...varint(BigInt(lies.run ?? rows) << 1n), 0];
  const dataHeader: Field[] = [
    [1, lies.values ?? rows],
    [2, 8],
    [3, 3],
    [4, 3],
  ];
  const data = page(0, indices, [5, dataHeader], true);
  const chunk: Field[] = [
    [1, 1],
    [2, {list: [0, 8]}],
    [3, {list: ['label']}],
    [4, lies.codec ?? 0],
    [5, BigInt(lies.numValues ?? rows)],
    [6, BigInt(dictionary.length + data.length)],
    [7, BigInt(lies.chunkBytes ?? dictionary.length + data.length)],
    [9, BigInt((lies.pageOffset ?? 4) + dictionary.length)],
    [11, BigInt(lies.pageOffset ?? 4)],
  ];
  const column: Field[] = [
    [2, 4n],
    [3, chunk],
  ];
  const group: Field[] = [
    [1, {list: [column]}],
    [2, BigInt(dictionary.length + data.length)],
    [3, BigInt(rows)],
  ];
  const root: Field[] = [
    [4, 'schema'],
    [5, 1],
  ];
  const label: Field[] = [
    [1, 1],
    [3, 0],
    [4, 'label'],
  ];
  const footer = struct([
    [1, 1],
    [2, {list: [root, label]}],
    [3, BigInt(rows)],
    [4, {list: [group]}],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(lies.footerBytes ?? footer.length);
  const [magic, body] = [Buffer.from('PAR1'), Buffer.from([...dictionary, ...data])];
  return Buffer.concat([magic, body, Buffer.from(footer), length, magic]);
}
