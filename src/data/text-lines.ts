// Byte chunks → blocks of whole lines as text. Strictly UTF-8, bounded, constant work a byte however the chunks are cut.
import {isUtf8} from 'node:buffer';

/** One or more lines with their line ends; the last line of the stream may have none. */
export interface LineBlock {
  text: string;
  /** Number of its first line, from 1. */
  firstLine: number;
}

/** What is wrong with the bytes, and in which line. */
export class LineError extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

const newline = 0x0a;

/** A byte order mark at the start is dropped. Throws LineError for bytes that are not UTF-8 and for lines over maxLineBytes. */
export async function* lineBlocks(bytes: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncGenerator<LineBlock> {
  let firstLine = 1;
  /** Pieces of a line whose end has not come. */
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end > 0) {
      const block = Buffer.concat([...pending, chunk.subarray(0, end)]);
      const {rightBytes, rightLines, error} = check(block, firstLine, maxLineBytes);
      if (rightBytes > 0) yield {text: decode(block.subarray(0, rightBytes), firstLine), firstLine};
      if (error) throw error;
      firstLine += rightLines;
      pending = [];
      pendingBytes = 0;
    }
    // A copy: the sender may use the chunk's memory again.
    pending.push(Uint8Array.prototype.slice.call(chunk, end));
    pendingBytes += chunk.length - end;
    if (pendingBytes > maxLineBytes) throw tooLong(firstLine, maxLineBytes);
  }
  if (pendingBytes === 0) return;
  const block = Buffer.concat(pending);
  const {error} = check(block, firstLine, maxLineBytes);
  if (error) throw error;
  yield {text: decode(block, firstLine), firstLine};
}

/** How much of the block can be read: up to its first wrong line. */
function check(block: Buffer, firstLine: number, maxLineBytes: number) {
  const isRight = isUtf8(block);
  let rightLines = 0;
  let rightBytes = 0;
  let error: LineError | undefined;
  while (rightBytes < block.length && !error) {
    const end = block.indexOf(newline, rightBytes) + 1 || block.length;
    const line = firstLine + rightLines;
    if (end - rightBytes > maxLineBytes) error = tooLong(line, maxLineBytes);
    else if (!isRight && !isUtf8(block.subarray(rightBytes, end)))
      error = new LineError(line, 'expected UTF-8, found bytes that are not');
    else {
      rightBytes = end;
      rightLines++;
    }
  }
  return {rightBytes, rightLines, error};
}

function decode(block: Buffer, firstLine: number): string {
  const text = block.toString('utf8');
  return firstLine === 1 && text.startsWith('\ufeff') ? text.slice(1) : text;
}

function tooLong(line: number, maxLineBytes: number): LineError {
  return new LineError(line, `expected at most ${maxLineBytes} bytes in a line, found more`);
}
