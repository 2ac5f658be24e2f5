// ReadInstances: check, ask runs, translate into blocks under the message limit.
import {FtftError} from '../errors.js';
import type {Runs} from '../runs/api.js';
import type {RunInstance} from '../runs/run-instances.js';
import {maxMessageBytes, messageOverheadBytes} from './columns.js';
import type {InstanceBlock} from './gen/ftft/v1/dynamics.js';
import type {FtftServiceImplementation} from './gen/ftft/v1/ftft_service.js';
import {RequestChecks} from './request-checks.js';

const what = 'Cannot read the instances of a run';
/** Tags and lengths of an instance's fields. */
const overheadBytes = 24;

export function instancesHandler(runs: Runs): Pick<FtftServiceImplementation, 'readInstances'> {
  return {
    async *readInstances({name, offset, limit, includeTexts}) {
      const checks = new RequestChecks(what);
      const id = checks.name('name', 'runs', name);
      checks.notNegative('offset', offset);
      checks.notNegative('limit', limit);
      checks.throwIfAny();
      const run = await runs.getRun(id);
      if (includeTexts && run.spec.dataset === '') throw noTexts(id);
      const end = limit === 0 ? Number.POSITIVE_INFINITY : offset + limit;
      let index = 0;
      let bytes = messageOverheadBytes;
      let held: RunInstance[] = [];
      for await (const instance of runs.readInstances(id)) {
        if (index >= end) break;
        if (index >= offset) {
          const size = sizeOf(instance, includeTexts);
          if (held.length > 0 && bytes + size > maxMessageBytes) {
            yield {block: toBlock(held, index - held.length, includeTexts)};
            [held, bytes] = [[], messageOverheadBytes];
          }
          held.push(instance);
          bytes += size;
        }
        index++;
      }
      if (held.length > 0) yield {block: toBlock(held, index - held.length, includeTexts)};
      if (offset > index) throw pastEnd(offset, index);
    },
  };
}

function sizeOf({uid, text = '', textPair = ''}: RunInstance, includeTexts: boolean): number {
  return (
    overheadBytes + Buffer.byteLength(uid) + (includeTexts ? Buffer.byteLength(text) + Buffer.byteLength(textPair) : 0)
  );
}

function toBlock(instances: RunInstance[], firstInstance: number, includeTexts: boolean): InstanceBlock {
  const hasPairs = includeTexts && instances[0].textPair !== undefined;
  return {
    firstInstance,
    instanceCount: instances.length,
    instanceIds: instances.map(({uid}) => uid),
    labels: instances.map(({label}) => label),
    texts: includeTexts ? instances.map(({text}) => text ?? '') : [],
    textPairs: hasPairs ? instances.map(({textPair}) => textPair ?? '') : [],
  };
}

function noTexts(id: string): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `${what}: runs/${id} must be of a data set to have texts, it was imported without one`,
    {reason: 'TEXTS_NOT_KNOWN', resource: {type: 'Run', name: `runs/${id}`}},
  );
}

function pastEnd(offset: number, instanceCount: number): FtftError {
  return new FtftError(
    'OUT_OF_RANGE',
    `${what}: offset must be at most ${instanceCount}, its number of instances, current value is ${offset}`,
    {reason: 'OFFSET_PAST_END', metadata: {instance_count: String(instanceCount)}},
  );
}
