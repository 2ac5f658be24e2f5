// A data map's numbers → sentences.
import {
  type DataMap,
  InstanceMetric,
  Region,
  type Selection,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
} from '../server/gen/ftft/v1/data_map.js';
import {count, percent} from './format.js';

const verdicts: Partial<Record<Verdict, string>> = {
  [Verdict.REFERENCE_VERDICT_EFFECTIVE]: 'likely to help a main model',
  [Verdict.REFERENCE_VERDICT_DOUBTFUL]: 'may or may not help a main model',
  [Verdict.REFERENCE_VERDICT_INEFFECTIVE]: 'not likely to help a main model',
  [Verdict.REFERENCE_VERDICT_UNDECIDED]: 'cannot be judged from this map',
};

/** "ambiguous", "hard-to-learn", "highest variability". */
export function selectionWords(selection: Selection | undefined): string {
  const criterion = selection?.criterion;
  if (criterion?.$case === 'metric') {
    const metric = InstanceMetric[criterion.value.metric].replace('INSTANCE_METRIC_', '');
    return `${criterion.value.order === 2 ? 'lowest' : 'highest'} ${metric.toLowerCase().replaceAll('_', ' ')}`;
  }
  const region = criterion?.value || Region.REGION_AMBIGUOUS;
  return Region[region].replace('REGION_', '').toLowerCase().replaceAll('_', '-');
}

export function describeDataMap(map: DataMap): string {
  const lines = [`${map.name}${map.final ? '' : ', of a run that still goes on'}`];
  const share = percent(map.selection?.fraction ?? 0, 0);
  lines.push(
    `selected  ${count(map.selectedCount)} of ${count(map.instanceCount)} instances, ${selectionWords(map.selection)} (${share} % asked for)`,
  );
  return [...lines, ...describeDiagnostics(map)].join('\n');
}

/** What the map says of itself, a line a finding. */
export function describeDiagnostics(map: DataMap): string[] {
  const {diagnostics} = map;
  if (!diagnostics) return [];
  const {easyRatio, hardAmbiguousOverlap, neverLearnedRatio, requestedCount, thresholdTieCount} = diagnostics;
  const lines = [
    `easy      ${percent(easyRatio)} % of the instances are neither ambiguous nor hard-to-learn`,
    `overlap   ${percent(hardAmbiguousOverlap)} % of the ambiguous ones are hard-to-learn too`,
    `never     ${percent(neverLearnedRatio)} % were right at no epoch`,
  ];
  const balance = diagnostics.labelBalance.map(
    ({className, selectedCount, instanceCount}) =>
      `${className} ${percent(selectedCount / Math.max(1, map.selectedCount), 0)} % (${percent(instanceCount / Math.max(1, map.instanceCount), 0)} % of all)`,
  );
  if (balance.length > 0) lines.push(`labels    ${balance.join(', ')}`);
  if (map.selectedCount !== requestedCount)
    lines.push(
      `ties      ${count(map.selectedCount)} selected where ${count(requestedCount)} were asked for; ${count(thresholdTieCount)} lie exactly at the edge`,
    );
  const verdict = verdicts[diagnostics.referenceVerdict];
  if (verdict) lines.push(`verdict   the reference is ${verdict}: ${diagnostics.referenceVerdictReason}`);
  return lines.flatMap(hanging);
}

/** Lines of 92 characters at most, those after the first indented as far as the words behind the heading. */
function hanging(line: string): string[] {
  const lines = [''];
  for (const word of line.split(/(?<=\S) (?=\S)/)) {
    const longer = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`;
    if (longer.length <= 92) lines[lines.length - 1] = longer;
    else lines.push(' '.repeat(10) + word);
  }
  return lines;
}
