// What is not there, in the words of the error table.
import {FtftError} from '../errors.js';

const kinds = {
  Run: {reason: 'RUN_NOT_FOUND', collection: 'runs', noun: 'run'},
  Dataset: {reason: 'DATASET_NOT_FOUND', collection: 'datasets', noun: 'dataset'},
  DataMap: {reason: 'DATA_MAP_NOT_FOUND', collection: 'dataMaps', noun: 'data map'},
} as const;

export function notFound(type: keyof typeof kinds, id: string): FtftError {
  const {reason, collection, noun} = kinds[type];
  return new FtftError('NOT_FOUND', `Cannot find ${collection}/${id}: there is no such ${noun}`, {
    reason,
    resource: {type, name: `${collection}/${id}`},
  });
}

export function requestIdReused(what: string): FtftError {
  return new FtftError('INVALID_ARGUMENT', `${what}: request_id must be new, another request was made with it`, {
    reason: 'REQUEST_ID_REUSED',
  });
}
