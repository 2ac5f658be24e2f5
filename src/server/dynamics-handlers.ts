// ImportDynamics: check, ask runs, translate.
import type {Runs} from '../runs/api.js';
import type {CallExtension} from './call-errors.js';
import {DynamicsFormat, ImportDynamicsHeader, type ImportDynamicsRequest} from './gen/ftft/v1/dynamics.js';
import type {FtftServiceImplementation} from './gen/ftft/v1/ftft_service.js';
import {ImportStream} from './import-stream.js';
import {RequestChecks} from './request-checks.js';
import {createOnce, requestKey} from './request-key.js';
import {toRun} from './translate-run.js';

const what = 'Cannot import dynamics';
const formats = {
  [DynamicsFormat.DYNAMICS_FORMAT_UNSPECIFIED]: 'cartography-jsonl',
  [DynamicsFormat.DYNAMICS_FORMAT_CARTOGRAPHY_JSONL]: 'cartography-jsonl',
  [DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_CSV]: 'p-true-csv',
  [DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_PARQUET]: 'p-true-parquet',
} as const;

type Handlers = Pick<FtftServiceImplementation<CallExtension>, 'importDynamics'>;
type DataPart = Exclude<NonNullable<ImportDynamicsRequest['part']>, {$case: 'header'}>;

export function dynamicsHandlers(runs: Runs): Handlers {
  return {
    async importDynamics(requests, {signal, traceParent, caller}) {
      const stream = new ImportStream<NonNullable<ImportDynamicsRequest['part']>>(what, requests, signal);
      const creation = {...fromHeader(await stream.header()), traceParent, caller: caller.name};
      const resource = {type: 'Run', name: `runs/${creation.id ?? ''}`} as const;
      const {run, warnings} = await createOnce(creation.request, resource, () =>
        runs.importDynamics(creation, partsOf(stream)),
      );
      return {run: toRun(run), warnings};
    },
  };
}

function fromHeader(header: ImportDynamicsHeader) {
  const checks = new RequestChecks(what);
  checks.requestId(header.requestId);
  checks.labels(header.labels);
  const id = checks.id('header.run_id', header.runId);
  const creation = {
    id,
    dataset: header.dataset === '' ? undefined : checks.name('header.dataset', 'datasets', header.dataset),
    trainSplit: header.trainSplit === '' ? undefined : checks.split('header.train_split', header.trainSplit),
    model: header.model,
    format: checks.choice('header.format', formats, header.format) ?? 'cartography-jsonl',
    classNames: header.classNames,
    dropPartialLastEpoch: header.dropPartialLastEpoch,
    labels: header.labels,
    request: requestKey('ImportDynamics', ImportDynamicsHeader, header, id),
    validateOnly: header.validateOnly,
  };
  checks.throwIfAny();
  return creation;
}

const bytesOf = (part: DataPart): Uint8Array => (part.$case === 'log' ? part.value.data : part.value);

async function* partsOf(stream: ImportStream<NonNullable<ImportDynamicsRequest['part']>>) {
  for await (const part of stream.parts(bytesOf))
    yield part.$case === 'log' ? {epoch: part.value.epoch, data: part.value.data} : {data: part.value};
}
