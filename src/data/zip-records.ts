// A zip archive as torch.save writes it → where the bytes of each record lie. Records are stored, not compressed, so a reader of the
// central directory is all it takes; general libraries inflate, copy, and leave overlaps and offsets beyond the file to their caller.
import {invalidFile, type WeightsFile} from './weights-file.js';

export interface ZipRecord {
  position: number;
  size: number;
}

interface Directory {
  offset: number;
  size: number;
  count: number;
}

const maxRecords = 100_000;
const maxDirectoryBytes = 32 << 20;
const endBytes = 22;
const maxCommentBytes = 0xffff;
const locatorBytes = 20;
const end64Bytes = 56;
const entryBytes = 46;
const localBytes = 30;

/** By name. FAILED_PRECONDITION/MODEL_INVALID for what is compressed, encrypted, twice there, overlapping, or not whole. */
export function readZipRecords(file: WeightsFile): Map<string, ZipRecord> {
  const {offset, size, count} = findDirectory(file);
  if (count > maxRecords || size > maxDirectoryBytes)
    throw invalid(
      file,
      `must have at most ${maxRecords} records in ${maxDirectoryBytes} bytes, found ${count} in ${size}`,
    );
  const directory = file.read(offset, size);
  const records = new Map<string, ZipRecord>();
  const taken: {from: number; to: number; name: string}[] = [{from: offset, to: offset + size, name: 'the directory'}];
  for (let i = 0, at = 0; i < count; i++) {
    const entry = parseEntry(file, directory, at);
    const {name, size, headerOffset} = entry;
    if (records.has(name)) throw invalid(file, `must hold record ${name} once`);
    const position = dataPosition(file, name, headerOffset);
    file.checkRange(position, size);
    records.set(name, {position, size});
    taken.push({from: headerOffset, to: position + size, name});
    at = entry.next;
  }
  taken.sort((a, b) => a.from - b.from);
  for (let i = 1; i < taken.length; i++)
    if (taken[i].from < taken[i - 1].to)
      throw invalid(file, `must keep ${taken[i - 1].name} and ${taken[i].name} apart`);
  return records;
}

/** The end record is the last thing in the file but a comment; the 64-bit one, where there is one, stands before it. */
function findDirectory(file: WeightsFile): Directory {
  const tailStart = Math.max(0, file.size - endBytes - maxCommentBytes);
  const tail = file.read(tailStart, file.size - tailStart);
  let at = tail.length - endBytes;
  while (
    at >= 0 &&
    (tail.readUInt32LE(at) !== 0x06054b50 || at + endBytes + tail.readUInt16LE(at + 20) !== tail.length)
  )
    at--;
  if (at < 0) throw invalid(file, 'must end with its directory, which is not there: it is cut off or damaged');
  const locator = tailStart + at - locatorBytes;
  const end64 = locator >= 0 ? findEnd64(file, file.read(locator, locatorBytes)) : undefined;
  if (end64) return {count: big(file, end64, 32), size: big(file, end64, 40), offset: big(file, end64, 48)};
  return {count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16)};
}

function findEnd64(file: WeightsFile, locator: Buffer): Buffer | undefined {
  if (locator.readUInt32LE(0) !== 0x07064b50) return undefined;
  const end64 = file.read(big(file, locator, 8), end64Bytes);
  if (end64.readUInt32LE(0) !== 0x06064b50) throw invalid(file, 'must have its 64-bit directory where it says');
  return end64;
}

function parseEntry(file: WeightsFile, directory: Buffer, at: number) {
  if (at + entryBytes > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
    throw invalid(file, 'must have an entry in its directory for each record: it is damaged');
  const nameEnd = at + entryBytes + directory.readUInt16LE(at + 28);
  const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
  const next = extraEnd + directory.readUInt16LE(at + 32);
  if (next > directory.length) throw invalid(file, 'must have whole entries in its directory: it is damaged');
  const name = directory.toString('utf8', at + entryBytes, nameEnd);
  const method = directory.readUInt16LE(at + 10);
  if (method !== 0 || (directory.readUInt16LE(at + 8) & 0x41) !== 0)
    throw invalid(
      file,
      `must store its records as torch.save does, ${name} is compressed (method ${method}) or encrypted`,
    );
  // 32-bit fields full of ones stand for 64-bit ones in the extra field, in this order.
  const [size, packedSize, headerOffset] = wideFields(file, directory.subarray(nameEnd, extraEnd), [
    directory.readUInt32LE(at + 24),
    directory.readUInt32LE(at + 20),
    directory.readUInt32LE(at + 42),
  ]);
  if (size !== packedSize) throw invalid(file, `must store ${name} in its ${size} bytes, found ${packedSize}`);
  return {name, size, headerOffset, next};
}

function wideFields(file: WeightsFile, extra: Buffer, fields: number[]): number[] {
  if (!fields.includes(0xffffffff)) return fields;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return fields.map(field => {
      if (field !== 0xffffffff) return field;
      next += 8;
      if (next > extra.length) throw invalid(file, 'must have whole 64-bit fields in its directory');
      return big(file, extra, next - 8);
    });
  }
  return fields;
}

/** Behind the local header, whose name and extra field may be of another length than those in the directory. */
function dataPosition(file: WeightsFile, name: string, headerOffset: number): number {
  const header = file.read(headerOffset, localBytes);
  if (header.readUInt32LE(0) !== 0x04034b50) throw invalid(file, `must have record ${name} where its directory says`);
  return headerOffset + localBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
}

function big(file: WeightsFile, bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at));
  if (Number.isSafeInteger(value)) return value;
  throw invalid(file, `must have sizes and offsets within the file, found ${value}`);
}

function invalid(file: WeightsFile, expected: string) {
  return invalidFile(file.path, `the zip archive ${expected}`);
}
