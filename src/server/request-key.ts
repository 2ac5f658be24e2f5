// Request → idempotency key: its id, and a digest of its canonical bytes.
import {createHash} from 'node:crypto';
import {FtftError} from '../errors.js';
import type {Creation} from '../runs/api.js';

interface Creating {
  requestId: string;
  validateOnly: boolean;
  labels?: Record<string, string>;
}

interface Codec<T> {
  encode(message: T): {finish(): Uint8Array};
}

/** Prefix of the keys made for requests that name what they make but bring no request_id. */
const namedPrefix = 'named:';

/** Canonical: fields in the order of their numbers, as the generated code writes them, labels sorted, and without request_id,
 * which says which request it is and not what it asks for. A request with neither id has no key. */
export function requestKey<T extends Creating>(
  method: string,
  codec: Codec<T>,
  request: T,
  id: string | undefined,
): Creation['request'] {
  if (request.requestId === '' && id === undefined) return undefined;
  const canonical = {...request, requestId: '', ...(request.labels && {labels: sorted(request.labels)})};
  const digest = createHash('sha256').update(`${method}\n`).update(codec.encode(canonical).finish()).digest('hex');
  return {id: request.requestId.toLowerCase() || `${namedPrefix}${method}/${id}`, digest};
}

/** Runs a creation; a reused made-up key means that the name is taken by other content. */
export async function createOnce<R>(
  key: Creation['request'],
  resource: {type: 'Run' | 'DataMap'; name: string},
  create: () => Promise<R>,
): Promise<R> {
  try {
    return await create();
  } catch (error) {
    const isReuse = error instanceof FtftError && error.details.reason === 'REQUEST_ID_REUSED';
    if (!isReuse || !key?.id.startsWith(namedPrefix)) throw error;
    throw new FtftError('ALREADY_EXISTS', `Cannot create ${resource.name}: it exists, made by another request`, {
      reason: resource.type === 'Run' ? 'RUN_EXISTS' : 'DATA_MAP_EXISTS',
      resource,
    });
  }
}

const sorted = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
