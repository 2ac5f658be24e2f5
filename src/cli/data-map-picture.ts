// A data map with its columns → its picture, titled with what it shows.
import {type DataMap, Region} from '../server/gen/ftft/v1/data_map.js';
import type {TrainingSpec} from '../server/gen/ftft/v1/run.js';
import type {DataMapColumns} from './data-map-columns.js';
import {selectionWords} from './data-map-words.js';
import {count} from './format.js';

/** The plotting library is loaded when the first picture is drawn: no other command waits for it. */
export async function drawDataMap(
  map: DataMap,
  spec: TrainingSpec | undefined,
  columns: DataMapColumns,
): Promise<string> {
  const {plotDataMap} = await import('./data-map-plot.js');
  const numEpochs = map.epochs ? map.epochs.last - map.epochs.first + 1 : 0;
  const depth = spec && spec.layers > 0 ? `, first ${spec.layers} layers` : '';
  const parts = [`${count(map.instanceCount)} instances`, `${numEpochs} epochs`];
  if (spec) parts.splice(1, 0, `reference ${spec.model}${depth}`, `seed ${spec.seed}`);
  const criterion = map.selection?.criterion;
  const isAmbiguous =
    criterion === undefined || (criterion.$case === 'region' && criterion.value <= Region.REGION_AMBIGUOUS);
  return await plotDataMap(columns, {
    title: `Data map of ${map.dataset.replace('datasets/', '') || map.run}, split ${map.trainSplit}`,
    subtitle: parts.join(' · '),
    numEpochs,
    selection: `${selectionWords(map.selection)} ${Math.round((100 * map.selectedCount) / Math.max(1, map.instanceCount))} %`,
    threshold: isAmbiguous ? map.diagnostics?.threshold : undefined,
  });
}
