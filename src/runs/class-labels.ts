// Class labels of an import beside those that the dataset has: names and order stay, aliases grow.
import type {FieldViolation} from '../errors.js';
import type {DatasetRecord} from './types.js';

export interface ClassLabel {
  name: string;
  aliases: string[];
}

/** All spellings, or what is wrong with those that came. */
export function mergeClassLabels(
  dataset: Pick<DatasetRecord, 'classNames' | 'classAliases'> | undefined,
  labels: ClassLabel[],
): {classLabels: ClassLabel[]; violations: FieldViolation[]} {
  const violate = (description: string) => ({classLabels: [], violations: [{field: 'class_labels', description}]});
  const known = dataset?.classNames.map((name, i) => ({name, aliases: dataset.classAliases[i]}));
  if (!known && labels.length < 2)
    return violate(`must name at least two classes in a dataset's first import, current number is ${labels.length}`);
  if (!known || labels.length === 0) return checked(known ?? labels, violate);
  const names = known.map(({name}) => name);
  if (names.length !== labels.length || names.some((name, i) => name !== labels[i].name))
    return violate(
      `must keep the dataset's names and order (${names.join(', ')}), current value is ${labels.map(({name}) => name).join(', ')}`,
    );
  return checked(
    known.map(({name, aliases}, i) => ({name, aliases: [...new Set([...aliases, ...labels[i].aliases])]})),
    violate,
  );
}

function checked(
  classLabels: ClassLabel[],
  violate: (description: string) => ReturnType<typeof mergeClassLabels>,
): ReturnType<typeof mergeClassLabels> {
  const owners = new Map<string, string>();
  for (const {name, aliases} of classLabels)
    for (const spelling of new Set([name, ...aliases])) {
      const owner = owners.get(spelling);
      if (spelling === '') return violate('must not hold an empty name or alias');
      if (owner !== undefined)
        return violate(`must spell each class its own way, ${spelling} stands for ${owner} and ${name}`);
      owners.set(spelling, name);
    }
  return {classLabels, violations: []};
}
