// A small JSON header and named typed arrays ↔ bytes: bodies of the event log, data maps and tokenised splits on disk.

const version = 1;
const types = {float32: Float32Array, int32: Int32Array, uint32: Uint32Array, uint8: Uint8Array} as const;

type Type = keyof typeof types;
export type Column = Float32Array | Int32Array | Uint32Array | Uint8Array;

interface Layout {
  header: unknown;
  columns: {name: string; type: Type; length: number}[];
}

/** Version byte, length of the JSON as uint32, JSON, then the columns one after the other; everything little-endian. */
export function encodeColumns(header: unknown, columns: Record<string, Column> = {}): Buffer {
  return Buffer.concat(encodedParts(header, columns));
}

/** The same in parts, without a copy of the columns. */
export function encodedParts(header: unknown, columns: Record<string, Column>): Uint8Array[] {
  const layout: Layout = {
    header,
    columns: Object.entries(columns).map(([name, column]) => ({name, type: typeOf(column), length: column.length})),
  };
  const json = Buffer.from(JSON.stringify(layout));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(version, 0);
  prefix.writeUInt32LE(json.length, 1);
  return [prefix, json, ...Object.values(columns).map(bytesOf)];
}

/** The inverse. Throws RangeError for bytes that it did not write. */
export function decodeColumns(bytes: Uint8Array): {header: unknown; columns: Record<string, Column>} {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 5 || buffer.readUInt8(0) !== version) throw new RangeError('Not columns of this version');
  let position = 5 + buffer.readUInt32LE(1);
  if (position > buffer.length) throw new RangeError('Columns are cut off');
  const layout = JSON.parse(buffer.toString('utf8', 5, position)) as Layout;
  const columns: Record<string, Column> = {};
  for (const {name, type, length} of layout.columns) {
    const end = position + length * types[type].BYTES_PER_ELEMENT;
    if (end > buffer.length) throw new RangeError(`Column ${name} is cut off`);
    // The copy gives the alignment that a typed array needs.
    columns[name] = new types[type](Uint8Array.prototype.slice.call(buffer, position, end).buffer);
    position = end;
  }
  if (position !== buffer.length) throw new RangeError(`${buffer.length - position} bytes follow the columns`);
  return {header: layout.header, columns};
}

export function bytesOf(column: Column): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/** One bit an instance, least significant first, the last byte filled up with zeros. */
export function packBits(flags: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(flags.length / 8));
  for (let i = 0; i < flags.length; i++) if (flags[i]) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

export function unpackBits(bits: Uint8Array, length: number): Uint8Array {
  const words = new Uint32Array(2 * bits.length);
  for (let at = 0; at < bits.length; at++) {
    words[2 * at] = spread[bits[at] & 15];
    words[2 * at + 1] = spread[bits[at] >> 4];
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Four bits as the four bytes of a word. */
const spread = Uint32Array.from({length: 16}, (_, bits) => {
  const flags = Uint8Array.of(bits & 1, (bits >> 1) & 1, (bits >> 2) & 1, bits >> 3);
  return new Uint32Array(flags.buffer)[0];
});

function typeOf(column: Column): Type {
  for (const type of Object.keys(types) as Type[]) if (column instanceof types[type]) return type;
  throw new TypeError('A column must be one of the known typed arrays');
}
