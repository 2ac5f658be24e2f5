// A list request ↔ a position in a list that runs from the newest to the oldest. Tokens are opaque and carry no rights.
import {setImmediate as nextTurn} from 'node:timers/promises';
import {invalidFields} from '../errors.js';
import type {Page} from './api.js';

const defaultPageSize = 50;
const maxPageSize = 1000;

/** One page of records, read with one more than fits to see whether there is a next. */
export async function readPage<T extends {createTime: number}>(
  what: string,
  page: Page,
  list: (limit: number, before: number | undefined) => Promise<T[]>,
): Promise<{records: T[]; nextPageToken: string}> {
  return await readPageBy(what, page, list, ({createTime}) => createTime);
}

/** A page ends too, however few it has, when so many records were looked at: a call costs no more than that. */
const maxLookedAt = 10_000;
const lookedAtOnce = 500;

/** As readPage, of those records that match; a page may be short, even empty, before the last. */
export async function readMatchingPage<T extends {createTime: number}>(
  what: string,
  page: Page,
  list: (limit: number, before: number | undefined) => Promise<T[]>,
  matches: (record: T) => boolean,
): Promise<{records: T[]; nextPageToken: string}> {
  const {size, before} = checkedPage(what, page);
  const records: T[] = [];
  let place = before;
  for (let lookedAt = 0; lookedAt < maxLookedAt; lookedAt += lookedAtOnce) {
    const some = await list(lookedAtOnce, place);
    for (const record of some.filter(matches)) {
      if (records.length === size) return {records, nextPageToken: encode(records[size - 1].createTime)};
      records.push(record);
    }
    if (some.length < lookedAtOnce) return {records, nextPageToken: ''};
    place = some[some.length - 1].createTime;
    // Others are served meanwhile: SQLite answers at once.
    await nextTurn();
  }
  return {records, nextPageToken: encode(place!)};
}

/** placeOf: what falls from each record of the list to the next. */
export async function readPageBy<T>(
  what: string,
  page: Page,
  list: (limit: number, before: number | undefined) => Promise<T[]>,
  placeOf: (record: T) => number,
): Promise<{records: T[]; nextPageToken: string}> {
  const {size, before} = checkedPage(what, page);
  const found = await list(size + 1, before);
  const records = found.slice(0, size);
  return {records, nextPageToken: found.length > size ? encode(placeOf(records[size - 1])) : ''};
}

function checkedPage(what: string, {pageSize, pageToken}: Page): {size: number; before: number | undefined} {
  if (!Number.isInteger(pageSize) || pageSize < 0)
    throw invalidFields(what, [{field: 'page_size', description: `must be 0 or more, current value is ${pageSize}`}]);
  const size = Math.min(pageSize || defaultPageSize, maxPageSize);
  return {size, before: pageToken === '' ? undefined : decode(what, pageToken)};
}

function encode(before: number): string {
  return Buffer.from(`1:${before}`).toString('base64url');
}

function decode(what: string, token: string): number {
  const [, before] = /^1:(\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString('latin1')) ?? [];
  if (before === undefined)
    throw invalidFields(what, [
      {field: 'page_token', description: 'must be the next_page_token of an earlier answer, it is not'},
    ]);
  return Number(before);
}
