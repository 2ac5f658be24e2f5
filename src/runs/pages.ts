// A list request ↔ a position in a list that runs from the newest to the oldest. Tokens are opaque and carry no rights.
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

/** placeOf: what falls from each record of the list to the next. */
export async function readPageBy<T>(
  what: string,
  {pageSize, pageToken}: Page,
  list: (limit: number, before: number | undefined) => Promise<T[]>,
  placeOf: (record: T) => number,
): Promise<{records: T[]; nextPageToken: string}> {
  if (!Number.isInteger(pageSize) || pageSize < 0)
    throw invalidFields(what, [{field: 'page_size', description: `must be 0 or more, current value is ${pageSize}`}]);
  const size = Math.min(pageSize || defaultPageSize, maxPageSize);
  const found = await list(size + 1, pageToken === '' ? undefined : decode(what, pageToken));
  const records = found.slice(0, size);
  return {records, nextPageToken: found.length > size ? encode(placeOf(records[size - 1])) : ''};
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
