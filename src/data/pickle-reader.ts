// A part of a weights file → the bytes, numbers and texts that a pickle consists of, in their order; no more in memory than is asked for.
import {invalidFile, type WeightsFile} from './weights-file.js';

const pieceBytes = 1 << 16;
const maxLineBytes = 256;
const utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});

export class PickleReader {
  private piece = Buffer.alloc(0);
  private at = 0;
  private opcodeStart: number;

  constructor(
    private readonly file: WeightsFile,
    /** Where in the file the next piece begins. */
    private next: number,
    private readonly end: number,
  ) {
    this.opcodeStart = next;
  }

  /** Of the next byte in the file. */
  get position(): number {
    return this.next - this.piece.length + this.at;
  }

  opcode(): number {
    this.opcodeStart = this.position;
    return this.byte();
  }

  byte(): number {
    this.load(1);
    return this.piece[this.at++];
  }

  uint16(): number {
    return this.bytes(2).readUInt16LE();
  }

  int32(): number {
    return this.bytes(4).readInt32LE();
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A number where one holds it, else a bigint. */
  integer(length: number): number | bigint {
    const bytes = this.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  text(length: number): string {
    try {
      return utf8.decode(this.bytes(length));
    } catch (error) {
      throw error instanceof TypeError ? this.invalid('a text must be UTF-8') : error;
    }
  }

  /** Up to the end of the line, which is not part of it. */
  line(): string {
    const codes: number[] = [];
    for (let code = this.byte(); code !== 0x0a; code = this.byte()) {
      if (codes.push(code) > maxLineBytes) throw this.invalid(`a line must have at most ${maxLineBytes} bytes`);
    }
    return Buffer.from(codes).toString('latin1');
  }

  /** For what is wrong with the opcode that was read last. */
  invalid(expected: string) {
    return invalidFile(this.file.path, `its pickle is refused at byte ${this.opcodeStart}: ${expected}`);
  }

  private bytes(length: number): Buffer {
    this.load(length);
    this.at += length;
    return this.piece.subarray(this.at - length, this.at);
  }

  /** Makes the piece hold that many bytes from `at` on. */
  private load(length: number): void {
    if (this.at + length <= this.piece.length) return;
    const {position} = this;
    if (position + length > this.end)
      throw this.invalid(`it must end before byte ${this.end} of the file: it is cut off or damaged`);
    this.next = Math.min(this.end, position + Math.max(length, pieceBytes));
    this.piece = this.file.read(position, this.next - position);
    this.at = 0;
  }
}
