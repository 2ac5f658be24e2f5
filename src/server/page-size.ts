// A page asked for → one whose message stays small: AIP-158 allows fewer entries than were asked for.
import type {Page} from '../runs/api.js';
import {maxMessageBytes} from './columns.js';

interface Codec<T> {
  encode(message: T): {finish(): Uint8Array};
}

/** Where entries are large, half as many are read until they fit; one entry always does. */
export async function fittingPage<T>(page: Page, codec: Codec<T>, read: (page: Page) => Promise<T>): Promise<T> {
  for (let {pageSize} = page; ; pageSize = Math.ceil(pageSize / 2)) {
    const found = await read({...page, pageSize});
    if (pageSize <= 1 || codec.encode(found).finish().length <= maxMessageBytes) return found;
  }
}
