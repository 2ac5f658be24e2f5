// BuildDataMap, GetDataMap, ListDataMaps, ReadDataMap, CompareDataMaps: check, ask runs, translate.

import {FtftError} from '../errors.js';
import type {Page} from '../runs/api.js';
import type {CallExtension} from './call-errors.js';
import {maxMessageBytes, messageOverheadBytes} from './columns.js';
import type {ServerContext} from './context.js';
import type {EpochRange} from './gen/ftft/v1/data_map.js';
import {BuildDataMapRequest, type FtftServiceImplementation, ListDataMapsResponse} from './gen/ftft/v1/ftft_service.js';
import {fittingPage} from './page-size.js';
import {RequestChecks} from './request-checks.js';
import {createOnce, requestKey} from './request-key.js';
import {throwAllViolations} from './run-handlers.js';
import {toBlock, toComparison, toDataMap} from './translate-data-map.js';
import {fromEstimator, fromMetrics, fromSelection} from './translate-selection.js';

/** Three float columns, the selection bit, and two counts as varints of at most five bytes. */
const bytesPerInstance = 3 * 4 + 1 + 2 * 5;
const bytesPerScore = 4;

type Handlers = Pick<
  FtftServiceImplementation<CallExtension>,
  'buildDataMap' | 'getDataMap' | 'listDataMaps' | 'readDataMap' | 'compareDataMaps'
>;

export function dataMapHandlers({runs, telemetry}: Pick<ServerContext, 'runs' | 'telemetry'>): Handlers {
  return {
    async buildDataMap(request, {traceParent}) {
      const checks = new RequestChecks('Cannot build a data map');
      const id = checks.id('data_map_id', request.dataMapId);
      checks.requestId(request.requestId);
      const creation = {
        id,
        run: checks.name('run', 'runs', request.run),
        epochs: fromEpochs(request.epochs, checks),
        variabilityEstimator: fromEstimator(request.variabilityEstimator, checks),
        selection: fromSelection(request.selection, checks),
        ...fromScores(request, checks),
        request: requestKey('BuildDataMap', BuildDataMapRequest, request, id),
        validateOnly: request.validateOnly,
      };
      await throwAllViolations(checks, () => runs.checkDataMap(creation));
      const resource = {type: 'DataMap', name: `dataMaps/${id ?? ''}`} as const;
      const record = await telemetry.spans.during('ftft.data_map', traceParent, {'ftft.run': creation.run}, () =>
        createOnce(creation.request, resource, () => runs.buildDataMap(creation)),
      );
      return {dataMap: toDataMap(record)};
    },

    async getDataMap({name}) {
      const checks = new RequestChecks('Cannot get a data map');
      const id = checks.name('name', 'dataMaps', name);
      checks.throwIfAny();
      return toDataMap(await runs.getDataMap(id));
    },

    async listDataMaps(request) {
      const checks = new RequestChecks('Cannot list data maps');
      const page = checks.page(request);
      const run = request.run === '' ? undefined : checks.name('run', 'runs', request.run);
      checks.throwIfAny();
      const read = async (page: Page) => {
        const {dataMaps, nextPageToken} = await runs.listDataMaps(page, run);
        return {dataMaps: dataMaps.map(toDataMap), nextPageToken};
      };
      return await fittingPage(page, ListDataMapsResponse, read, ({dataMaps}) => dataMaps.length);
    },

    async *readDataMap(request) {
      const checks = new RequestChecks('Cannot read a data map');
      const id = checks.name('name', 'dataMaps', request.name);
      checks.notNegative('offset', request.offset);
      checks.notNegative('limit', request.limit);
      checks.throwIfAny();
      const {instanceCount} = await runs.getDataMap(id);
      if (request.offset > instanceCount) throw pastEnd(request.offset, instanceCount);
      const columns = await runs.readDataMap(id);
      const end = request.limit === 0 ? instanceCount : Math.min(instanceCount, request.offset + request.limit);
      const ids = request.includeInstanceIds ? columns.instanceIds : undefined;
      const {includeMetrics: withMetrics} = request;
      const numScores = withMetrics
        ? columns.metricColumns.reduce((sum, {values}) => sum + values.length / instanceCount, 0)
        : 0;
      for (let first = request.offset, next: number; first < end; first = next) {
        next = blockEnd(first, end, ids, bytesPerInstance + numScores * bytesPerScore);
        yield {block: toBlock(columns, first, next, {ids: ids !== undefined, metrics: withMetrics})};
      }
    },

    async compareDataMaps(request) {
      const checks = new RequestChecks('Cannot compare data maps');
      const id = checks.name('data_map', 'dataMaps', request.dataMap);
      const otherId = checks.name('other_data_map', 'dataMaps', request.otherDataMap);
      checks.throwIfAny();
      return toComparison(await runs.compareDataMaps(id, otherId));
    },
  };
}

function fromEpochs(epochs: EpochRange | undefined, checks: RequestChecks): EpochRange | undefined {
  if (!epochs) return undefined;
  checks.notNegative('epochs.first', epochs.first);
  if (epochs.last < epochs.first)
    checks.violate('epochs.last', `must not be before epochs.first, ${epochs.first}; current value is ${epochs.last}`);
  return {first: epochs.first, last: epochs.last};
}

/** What is asked for beside the columns that every map has. */
function fromScores({metrics, scoreWindow, burnOut}: BuildDataMapRequest, checks: RequestChecks) {
  checks.notNegative('score_window', scoreWindow);
  checks.notNegative('burn_out', burnOut);
  return {
    ...(metrics.length > 0 && {metrics: fromMetrics(metrics, checks)}),
    ...(scoreWindow > 0 && {scoreWindow}),
    ...(burnOut > 0 && {burnOut}),
  };
}

/** As many instances as fit into a message, ids counted by their bytes; always at least one. */
function blockEnd(first: number, end: number, ids: string[] | undefined, bytesPerRow: number): number {
  let bytes = messageOverheadBytes;
  for (let i = first; i < end; i++) {
    bytes += bytesPerRow + (ids ? Buffer.byteLength(ids[i]) + 4 : 0);
    if (bytes > maxMessageBytes && i > first) return i;
  }
  return end;
}

function pastEnd(offset: number, instanceCount: number): FtftError {
  return new FtftError(
    'OUT_OF_RANGE',
    `Cannot read a data map: offset must be at most ${instanceCount}, its number of instances, current value is ${offset}`,
    {reason: 'OFFSET_PAST_END', metadata: {instance_count: String(instanceCount)}},
  );
}
