// Two stored data maps in; whether they have the same instances, and the second one in the order of the first, out.
import {FtftError} from '../errors.js';
import type {ComparedMap} from '../pipeline/compare-data-maps.js';
import {type MapColumns, selectedOf} from './map-columns.js';
import type {DataMapRecord} from './types.js';

/**
 * Place of each instance of the first map on the second; undefined where the order is the same. The same split of a dataset is the same
 * instances; dynamics imported without a dataset are compared by the ids of their instances. FAILED_PRECONDITION/DATA_MAPS_NOT_COMPARABLE
 * where an instance is on one map only.
 */
export async function sameInstances(
  one: DataMapRecord,
  other: DataMapRecord,
  instanceIds: (map: DataMapRecord) => Promise<string[]>,
): Promise<Int32Array | undefined> {
  if (one.instanceCount !== other.instanceCount)
    throw notComparable(one, other, `they have ${one.instanceCount} and ${other.instanceCount} instances`);
  const isOfDataset = one.dataset !== '' && other.dataset !== '';
  if (isOfDataset && one.dataset === other.dataset && one.trainSplit === other.trainSplit) return undefined;
  if (isOfDataset)
    throw notComparable(
      one,
      other,
      `they are of datasets/${one.dataset}, split ${one.trainSplit}, and of datasets/${other.dataset}, split ${other.trainSplit}`,
    );
  const placeOf = new Map((await instanceIds(other)).map((id, place) => [id, place]));
  const ids = await instanceIds(one);
  return Int32Array.from(ids, id => {
    const place = placeOf.get(id);
    if (place === undefined) throw notComparable(one, other, `instance ${JSON.stringify(id)} is on the first one only`);
    return place;
  });
}

/** places: of each instance among the columns; undefined where they are in order. */
export function comparedMap(map: DataMapRecord, columns: MapColumns, places?: Int32Array): ComparedMap {
  const {confidence, variability, isSelected} = columns;
  const {instanceCount: numInstances, selection} = map;
  if (!places) return {numInstances, selection, confidence, variability, selected: selectedOf(columns)};
  return {
    numInstances,
    selection,
    confidence: confidence.map((_, i) => confidence[places[i]]),
    variability: variability.map((_, i) => variability[places[i]]),
    selected: selectedOf({isSelected: isSelected.map((_, i) => isSelected[places[i]])}),
  };
}

function notComparable(one: DataMapRecord, other: DataMapRecord, why: string): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot compare data maps: dataMaps/${one.id} and dataMaps/${other.id} must be of the same instances, but ${why}`,
    {reason: 'DATA_MAPS_NOT_COMPARABLE', resource: {type: 'DataMap', name: `dataMaps/${other.id}`}},
  );
}
