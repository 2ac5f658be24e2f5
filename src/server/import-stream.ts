// The messages of a client-streaming import → its header, then its parts: one header, first; parts under their limit; a whole stream.
import {setTimeout as sleep} from 'node:timers/promises';
import {FtftError, invalidFields} from '../errors.js';

const maxPartBytes = 1024 * 1024;
const afterEndMs = 10;

interface Message<P> {
  part?: P;
}

export type Part = {$case: string; value: unknown};

export class ImportStream<P extends Part> {
  private readonly messages: AsyncIterator<Message<P>>;

  /** what: the attempt, such as 'Cannot import a dataset'. */
  constructor(
    private readonly what: string,
    messages: AsyncIterable<Message<P>>,
    private readonly signal: AbortSignal,
  ) {
    this.messages = messages[Symbol.asyncIterator]();
  }

  async header(): Promise<Extract<P, {$case: 'header'}>['value']> {
    const first = await this.messages.next();
    if (!first.done && first.value.part?.$case === 'header')
      return (first.value.part as Extract<P, {$case: 'header'}>).value;
    const found = first.done
      ? 'the stream is empty'
      : `the first message has ${first.value.part?.$case ?? 'no part set'}`;
    throw invalidFields(this.what, [{field: 'header', description: `must be the first message, but ${found}`}]);
  }

  /** bytesOf: what a part carries. */
  async *parts(
    bytesOf: (part: Exclude<P, {$case: 'header'}>) => Uint8Array,
  ): AsyncGenerator<Exclude<P, {$case: 'header'}>> {
    for (let next = await this.messages.next(); !next.done; next = await this.messages.next()) {
      const {part} = next.value;
      if (part === undefined || part.$case === 'header')
        throw invalidFields(this.what, [
          {field: part?.$case ?? 'part', description: 'must not follow the header: every later message carries data'},
        ]);
      const data = part as Exclude<P, {$case: 'header'}>;
      const {length} = bytesOf(data);
      if (length > maxPartBytes)
        throw new FtftError(
          'RESOURCE_EXHAUSTED',
          `${this.what}: a data message must hold at most ${maxPartBytes} bytes, this one holds ${length}`,
          {reason: 'MESSAGE_TOO_LARGE', metadata: {limit_bytes: String(maxPartBytes)}},
        );
      yield data;
    }
    // A stream that its client breaks off ends here like a whole one, and is known as cancelled only a moment later.
    await sleep(afterEndMs);
    this.signal.throwIfAborted();
  }
}
