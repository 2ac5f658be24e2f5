// The footer and page headers of a Parquet file, checked before anything is unpacked: what they promise is in the file and bounded.
import type {FileHandle} from 'node:fs/promises';
import {type AsyncBuffer, type FileMetaData, type PageHeader, parquetMetadataAsync} from 'hyparquet';
import {parquetHeader} from 'hyparquet/src/column.js';

/** What is wrong with the file, in the words of a message after "found". */
export class ParquetError extends Error {}

type ColumnMetaData = NonNullable<FileMetaData['row_groups'][number]['columns'][number]['meta_data']>;

const magicBytes = 4;
const maxFooterBytes = 2 ** 26;
const maxHeaderBytes = 2 ** 20;
const maxPageBytes = 2 ** 27;
const maxChunkBytes = 2 ** 29;
const maxGroupRows = 2 ** 22;
const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD'];
const types = ['BOOLEAN', 'INT32', 'INT64', 'FLOAT', 'DOUBLE', 'BYTE_ARRAY'];

/** Slices of a file; nothing is kept. */
export async function fileBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const {size} = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const buffer = Buffer.from(new ArrayBuffer(Math.max(0, end - start)));
      const {bytesRead} = await handle.read(buffer, 0, buffer.length, start);
      if (bytesRead < buffer.length) throw new ParquetError('bytes that lie beyond its end');
      return buffer.buffer;
    },
  };
}

export async function readFooter(file: AsyncBuffer): Promise<FileMetaData> {
  if (file.byteLength < 3 * magicBytes) throw new ParquetError(`${file.byteLength} bytes`);
  const magic = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('latin1');
  const start = magic(await file.slice(0, magicBytes));
  const end = Buffer.from(await file.slice(file.byteLength - 2 * magicBytes));
  const last = end.toString('latin1', magicBytes);
  if (start === 'PARE' || last === 'PARE') throw new ParquetError('an encrypted one');
  if (start !== 'PAR1') throw new ParquetError('another beginning than PAR1');
  if (last !== 'PAR1') throw new ParquetError('another end than PAR1: is it cut off?');
  const footerBytes = end.readUInt32LE(0);
  if (footerBytes > Math.min(maxFooterBytes, file.byteLength - 3 * magicBytes))
    throw new ParquetError(`a footer of ${footerBytes} bytes`);
  const metadata = await parquetMetadataAsync(file, {geoparquet: false});
  if (!Array.isArray(metadata.schema) || metadata.schema.length === 0) throw new ParquetError('no schema');
  const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (rows !== metadata.num_rows)
    throw new ParquetError(`${rows} rows in its groups, ${metadata.num_rows} in its footer`);
  return metadata;
}

/** Names of the columns that hold one value a row. */
export function flatColumns({schema}: FileMetaData): string[] {
  const [root, ...elements] = schema;
  const names: string[] = [];
  for (let at = 0, child = 0; child < (root.num_children ?? 0) && at < elements.length; child++) {
    const {name, num_children: numChildren, repetition_type: repetition, type} = elements[at];
    if (!numChildren && repetition !== 'REPEATED' && types.includes(type ?? '')) names.push(name);
    // Nested elements follow their parent, depth first.
    for (let left = 1; left > 0 && at < elements.length; at++) left += (elements[at].num_children ?? 0) - 1;
  }
  return names;
}

/** Every page that reading these columns of a row group would unpack. */
export async function checkPages(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: number,
  columns: string[],
): Promise<void> {
  const {columns: chunks, num_rows: rows} = metadata.row_groups[group];
  if (!(rows >= 0n && rows <= BigInt(maxGroupRows))) throw new ParquetError(`a row group of ${rows} rows`);
  for (const name of columns) {
    const found = chunks.filter(chunk => chunk.meta_data?.path_in_schema.join('.') === name);
    const [chunk] = found;
    if (found.length !== 1 || !chunk.meta_data || chunk.file_path)
      throw new ParquetError(`row group ${group} without column ${JSON.stringify(name)}`);
    await checkChunk(file, chunk.meta_data, Number(rows), name);
  }
}

async function checkChunk(file: AsyncBuffer, chunk: ColumnMetaData, rows: number, name: string): Promise<void> {
  const wrong = (found: string) => new ParquetError(`${found} in column ${JSON.stringify(name)}`);
  if (!codecs.includes(chunk.codec)) throw wrong(`compression ${chunk.codec} (expected ${codecs.join(', ')})`);
  const first = chunk.dictionary_page_offset
    ? least(chunk.dictionary_page_offset, chunk.data_page_offset)
    : chunk.data_page_offset;
  const start = Number(first);
  const size = Number(chunk.total_compressed_size);
  if (!(size >= 0 && size <= maxChunkBytes)) throw wrong(`${size} bytes in a row group`);
  if (!(start >= magicBytes && start + size <= file.byteLength)) throw wrong('an offset beyond the end');
  if (Number(chunk.num_values) !== rows) throw wrong(`${chunk.num_values} values for ${rows} rows`);
  let unpacked = 0;
  let values = 0;
  for (let at = start; at < start + size && values < rows; ) {
    const {header, headerBytes} = await pageHeader(file, at, start + size);
    const {compressed_page_size: packedBytes, uncompressed_page_size: pageBytes} = header;
    at += headerBytes + packedBytes;
    unpacked += pageBytes;
    if (!(packedBytes >= 0 && at <= start + size)) throw wrong('a page beyond its end');
    if (!(pageBytes >= 0 && pageBytes <= maxPageBytes)) throw wrong(`a page of ${pageBytes} bytes`);
    if (unpacked > 2 * maxChunkBytes) throw wrong(`more than ${2 * maxChunkBytes} bytes`);
    values += checkCounts(header, rows - values, wrong);
  }
  if (values !== rows) throw wrong(`${values} values for ${rows} rows`);
}

/** Values of a data page. */
function checkCounts(header: PageHeader, left: number, wrong: (found: string) => ParquetError): number {
  const {data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary} = header;
  if (header.type === 'DICTIONARY_PAGE') {
    const count = dictionary?.num_values ?? -1;
    if (!(count >= 0 && count <= header.uncompressed_page_size)) throw wrong(`a dictionary of ${count} values`);
    return 0;
  }
  if (header.type === 'INDEX_PAGE') return 0;
  const count = (header.type === 'DATA_PAGE' ? v1?.num_values : v2?.num_values) ?? -1;
  if (!(count >= 0 && count <= left)) throw wrong(`a page of ${count} values where ${left} are left`);
  if (header.type !== 'DATA_PAGE_V2' || !v2) return count;
  const levels = [v2.definition_levels_byte_length, v2.repetition_levels_byte_length];
  if (!levels.every(bytes => bytes >= 0 && bytes <= header.compressed_page_size))
    throw wrong('levels beyond their page');
  if (!(v2.num_nulls >= 0 && v2.num_nulls <= count && v2.num_rows === count))
    throw wrong('counts that contradict each other');
  return count;
}

async function pageHeader(
  file: AsyncBuffer,
  at: number,
  end: number,
): Promise<{header: PageHeader; headerBytes: number}> {
  // Nearly all have a few dozen bytes; some hold the least and the largest text of their page.
  for (const most of [256, maxHeaderBytes]) {
    const bytes = await file.slice(at, Math.min(at + most, end));
    const reader = {view: new DataView(bytes), offset: 0};
    try {
      return {header: parquetHeader(reader), headerBytes: reader.offset};
    } catch (error) {
      if (bytes.byteLength < most || most === maxHeaderBytes) throw error;
    }
  }
  throw new ParquetError('a page header that cannot be read');
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
