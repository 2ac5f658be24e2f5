// A page asked for → one whose message stays small: AIP-158 allows fewer entries than were asked for.
import type {Page} from '../runs/api.js';
import {maxMessageBytes} from './columns.js';

interface Codec<T> {
  encode(message: T): {finish(): Uint8Array};
}

/** Where entries are large, half as many as were found are read until they fit; one entry always does. countOf: entries of an answer. */
export async function fittingPage<T>(
  page: Page,
  codec: Codec<T>,
  read: (page: Page) => Promise<T>,
  countOf: (answer: T) => number,
): Promise<T> {
  for (let {pageSize} = page; ; ) {
    const found = await read({...page, pageSize});
    const count = countOf(found);
    if (count <= 1 || codec.encode(found).finish().length <= maxMessageBytes) return found;
    pageSize = Math.ceil(count / 2);
  }
}
