// RPC → valid requests to begin from, which ask for everything that a request can hold.
import {FileFormat, ImportDatasetRequest} from '../../src/server/gen/ftft/v1/dataset.js';
import {ImportDynamicsRequest} from '../../src/server/gen/ftft/v1/dynamics.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {tinyLines} from '../support/tiny-model.js';

export type Rpc = keyof (typeof FtftServiceDefinition)['methods'];
export const rpcs = Object.keys(FtftServiceDefinition.methods) as Rpc[];

export interface Codec {
  encode(message: unknown): {finish(): Uint8Array};
  decode(bytes: Uint8Array): unknown;
  fromPartial(message: object): unknown;
}

export const codecOf = (rpc: Rpc): Codec => FtftServiceDefinition.methods[rpc].requestType as unknown as Codec;

const run = 'runs/ref';
const map = 'dataMaps/map';
const requestId = '8c1c7d1e-6f6c-4a53-9f3e-0a4a1f5f9b01';
const spec = {
  ...{dataset: 'datasets/pets', trainSplit: 'train', evaluationSplits: ['ood'], model: 'local:tiny', layers: 1},
  ...{maxLength: 16, epochs: 2, batchSize: 8, learningRate: 1e-3, warmupRatio: 0.1, weightDecay: 0.01, precision: 1},
  ...{seed: 7, evaluationIntervalSteps: 3, executionTimeout: {seconds: 5, nanos: 1}, maxAttempts: 2, priority: 1},
};
const selections = [
  {criterion: {$case: 'region', value: 5}, fraction: 0.5, rule: 2, seed: 3, classBalance: 2},
  {criterion: {$case: 'metric', value: {metric: 6, order: 3}}, count: 3, rule: 3},
  {criterion: {$case: 'regions', value: {anyOf: [1, 2], noneOf: [3]}}, fraction: 0.25, rule: 2},
  {criterion: {$case: 'stratified', value: {metric: 2, hardestShareDropped: 0.1, strata: 5}}, count: 9},
  {criterion: {$case: 'clustered', value: {clusters: 3, iterations: 4}}, count: 9, seed: 1},
];

/** Of a unary RPC or one with a stream of responses. resumeTokens: of runs/ref. */
export function seedsOf(rpc: Rpc, resumeTokens: string[]): object[] {
  switch (rpc) {
    case 'getDataset':
      return [{name: 'datasets/pets'}];
    case 'listDatasets':
      return [{pageSize: 1, pageToken: 'abc'}, {}];
    case 'listRuns':
      return [
        {filter: 'labels:team AND -state = STATE_PENDING'},
        {
          pageSize: 2,
          pageToken: 'abc',
          filter: 'NOT (state = FAILED OR kind = MAIN) labels.team = "n*" create_time > "2026-11-01T09:00:00Z"',
        },
        {pageSize: 1000},
      ];
    case 'trainReference':
      return [{runId: 'new', spec, requestId, validateOnly: true, labels: {team: 'nlp'}}, {spec}];
    case 'fineTuneMain':
      return [
        {
          runId: 'new',
          dataMap: map,
          spec,
          requestId,
          validateOnly: true,
          labels: {team: 'nlp'},
          stepBudget: {$case: 'maxSteps', value: 3},
        },
        {dataMap: map, spec, stepBudget: {$case: 'stepFraction', value: 0.5}},
      ];
    case 'buildDataMap':
      return selections.map((selection, i) => ({
        ...{run, selection, variabilityEstimator: 1, metrics: [6, 19, 23], scoreWindow: 2},
        ...(i % 2 === 0
          ? {epochs: {first: 0, last: 1}, dataMapId: 'other', requestId}
          : {burnOut: 2, validateOnly: true}),
      }));
    case 'readDataMap':
      return [{name: map, offset: 3, limit: 4, includeInstanceIds: true, includeMetrics: true}];
    case 'readInstances':
      return [{name: run, offset: 3, limit: 4, includeTexts: true}];
    case 'compareDataMaps':
      return [{dataMap: map, otherDataMap: map}];
    case 'getDataMap':
      return [{name: map}];
    case 'waitRun':
      return [{name: run, etag: 'other', timeout: {seconds: 1, nanos: 5}}];
    case 'streamDynamics':
      return [
        {name: run, start: {$case: 'resumeToken', value: resumeTokens[2]}, view: 2, heartbeatInterval: {seconds: 1}},
        {name: run, start: {$case: 'position', value: 3}, noFollow: true, view: 1, maxChunkInstances: 5},
        {name: run, start: {$case: 'epoch', value: 1}, instances: [0, 3, 7, 23], view: 3},
      ];
    case 'cancelRun':
    case 'suspendRun':
    case 'resumeRun':
    case 'deleteRun':
      return [{name: 'runs/none', etag: 'x', allowMissing: true}];
    case 'listDataMaps':
      return [{pageSize: 2, pageToken: '', run}];
    case 'getRun':
      return [{name: run}];
    default:
      return [{name: run}];
  }
}

/** Of an RPC with a stream of requests: messages in order. */
export function streamSeeds(rpc: Rpc): object[][] {
  const lines = Buffer.from(`${tinyLines(4).join('\n')}\n`);
  if (rpc === 'importDataset') {
    const header = {
      ...{dataset: 'datasets/made', split: 'train', outOfDistribution: true, format: FileFormat.FILE_FORMAT_JSONL},
      ...{noHeaderRow: false, columns: {text: 'text', textPair: '', label: 'label', id: 'uid'}, validateOnly: true},
      classLabels: [
        {name: 'cat', aliases: ['0']},
        {name: 'dog', aliases: []},
      ],
    };
    const csv = {...header, format: FileFormat.FILE_FORMAT_CSV, columns: {text: 'text', label: 'label'}};
    return [
      [{part: {$case: 'header', value: header}}, {part: {$case: 'data', value: lines}}],
      [{part: {$case: 'header', value: csv}}, {part: {$case: 'data', value: Buffer.from('text,label\n"a ""b",cat\n')}}],
    ].map(messages => messages.map(message => ImportDatasetRequest.fromPartial(message as never)));
  }
  const header = {
    ...{runId: 'imported', model: 'm', dropPartialLastEpoch: true, validateOnly: true, labels: {a: 'b'}, format: 1},
    ...{dataset: '', classNames: []},
  };
  const log = (epoch: number) => {
    const row = (guid: number) => JSON.stringify({guid, [`logits_epoch_${epoch}`]: [0.5, -1], gold: guid % 2});
    return {part: {$case: 'log', value: {epoch, data: Buffer.from(`${row(0)}\n${row(1)}\n`)}}};
  };
  const table = Buffer.from('guid,epoch,p_true,correct\na,0,0.5,1\na,1,0.25,0\n');
  return [
    [{part: {$case: 'header', value: header}}, log(0), log(1)],
    [{part: {$case: 'header', value: {...header, format: 2}}}, {part: {$case: 'table', value: table}}],
  ].map(messages => messages.map(message => ImportDynamicsRequest.fromPartial(message as never)));
}
