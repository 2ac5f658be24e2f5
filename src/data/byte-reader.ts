// Chunks of bytes, however they are cut → exactly as many bytes as are asked for, one read after the other.

export class ByteReader {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0);

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.chunks = bytes[Symbol.asyncIterator]();
  }

  /** Fewer than count only where the bytes end before. */
  async peek(count: number): Promise<Uint8Array> {
    const pieces = [this.held];
    for (let length = this.held.length; length < count; ) {
      const next = await this.chunks.next();
      if (next.done) break;
      pieces.push(next.value);
      length += next.value.length;
    }
    if (pieces.length > 1) this.held = Buffer.concat(pieces);
    return this.held.subarray(0, count);
  }

  /** Undefined where the bytes end before count of them have come. */
  async read(count: number): Promise<Uint8Array | undefined> {
    const found = await this.peek(count);
    if (found.length < count) return undefined;
    this.held = this.held.subarray(count);
    return found;
  }

  /** What has not been read, as it comes. */
  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.held.length > 0) yield this.held;
    this.held = new Uint8Array(0);
    for (let next = await this.chunks.next(); !next.done; next = await this.chunks.next()) yield next.value;
  }

  async close(): Promise<void> {
    await this.chunks.return?.();
  }
}
