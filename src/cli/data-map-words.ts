// A data map's numbers → sentences.
import {
  Selection_ClassBalance as Balance,
  type CompareDataMapsResponse,
  type DataMap,
  type DataMapDiagnostics,
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  type Selection,
  type SubsetOverlap,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
} from '../server/gen/ftft/v1/data_map.js';
import {count, percent} from './format.js';

const verdicts: Partial<Record<Verdict, string>> = {
  [Verdict.REFERENCE_VERDICT_EFFECTIVE]: 'likely to help a main model',
  [Verdict.REFERENCE_VERDICT_DOUBTFUL]: 'may or may not help a main model',
  [Verdict.REFERENCE_VERDICT_INEFFECTIVE]: 'not likely to help a main model',
  [Verdict.REFERENCE_VERDICT_UNDECIDED]: 'cannot be judged from this map',
};

/** "ambiguous", "hard-to-learn", "highest variability", "ambiguous or hard-to-learn, not random", "50 strata of loss". */
export function selectionWords(selection: Selection | undefined): string {
  const balance = selection?.classBalance;
  const words = criterionWords(selection?.criterion);
  if (balance === Balance.CLASS_BALANCE_PROPORTIONAL) return `${words}, in each class`;
  return balance === Balance.CLASS_BALANCE_EQUAL ? `${words}, as many of each class` : words;
}

const orders: Partial<Record<Order, string>> = {
  [Order.ORDER_LOWEST_FIRST]: 'lowest',
  [Order.ORDER_BOTH_ENDS]: 'both ends of',
};

function criterionWords(criterion: Selection['criterion']): string {
  switch (criterion?.$case) {
    case 'metric':
      return `${orders[criterion.value.order] ?? 'highest'} ${metricWords(criterion.value.metric)}`;
    case 'regions': {
      const {anyOf, noneOf} = criterion.value;
      const included = anyOf.length === 0 ? 'all' : anyOf.map(regionWords).join(' or ');
      return noneOf.length === 0 ? included : `${included}, not ${noneOf.map(regionWords).join(' or ')}`;
    }
    case 'stratified':
      return `${criterion.value.strata} strata of ${metricWords(criterion.value.metric)}`;
    case 'clustered':
      return `${criterion.value.clusters} clusters of loss trajectories`;
    default:
      return regionWords(criterion?.value || Region.REGION_AMBIGUOUS);
  }
}

const regionWords = (region: Region): string =>
  Region[region].replace('REGION_', '').toLowerCase().replaceAll('_', '-');
const metricWords = (metric: InstanceMetric): string =>
  InstanceMetric[metric].replace('INSTANCE_METRIC_', '').toLowerCase().replaceAll('_', ' ');

export function describeDataMap(map: DataMap): string {
  const lines = [`${map.name}${map.final ? '' : ', of a run that still goes on'}`];
  const {fraction = 0, count: number = 0} = map.selection ?? {};
  const requested = count(map.diagnostics?.requestedCount ?? number);
  const asked = number > 0 ? requested : `${percent(fraction, 0)} %, ${requested}`;
  lines.push(
    `selected  ${count(map.selectedCount)} of ${count(map.instanceCount)} instances, ${selectionWords(map.selection)} (${asked} asked for)`,
  );
  return [...lines, ...describeDiagnostics(map)].join('\n');
}

/** What the map says of itself, a line a finding. */
export function describeDiagnostics(map: DataMap): string[] {
  const {diagnostics} = map;
  if (!diagnostics) return [];
  const {easyRatio, hardAmbiguousOverlap, neverLearnedRatio, inDistributionAccuracy} = diagnostics;
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
  if (inDistributionAccuracy !== undefined)
    lines.push(`accuracy  ${percent(inDistributionAccuracy)} % of the evaluation sets in distribution are right`);
  lines.push(...learningLines(diagnostics));
  const verdict = verdicts[diagnostics.referenceVerdict];
  if (verdict) lines.push(`verdict   the reference is ${verdict}: ${diagnostics.referenceVerdictReason}`);
  lines.push(...diagnostics.warnings.map(warning => `warning   ${warning}`));
  return lines.flatMap(hanging);
}

/** From the first epoch used to the last: whether the reference learnt, and had finished. */
function learningLines({epochs, lastEpochGain}: DataMapDiagnostics): string[] {
  const [first, last] = [epochs[0], epochs.at(-1)];
  if (!first || !last || lastEpochGain === undefined) return [];
  const gain = `${lastEpochGain < 0 ? '−' : '+'}${Math.abs(lastEpochGain).toFixed(3)}`;
  return [
    `learning  mean p_true ${first.meanPTrue.toFixed(3)} in epoch ${first.epoch}, ${last.meanPTrue.toFixed(3)} in epoch ${last.epoch} (${gain} in the last one), ${percent(last.accuracy)} % right there`,
  ];
}

/** What two maps have in common, a line a finding. */
export function describeComparison(comparison: CompareDataMapsResponse): string {
  const {selected, ambiguous, hardToLearn, regionAgreement} = comparison;
  const lines = [
    overlapLine('selected', selected),
    overlapLine('ambiguous', ambiguous),
    overlapLine('hard', hardToLearn),
    `ranks     Spearman ${comparison.confidenceSpearman.toFixed(3)} of confidence, ${comparison.variabilitySpearman.toFixed(3)} of variability`,
    `easy      ${percent(comparison.easyRatio)} % on the first map, ${percent(comparison.otherEasyRatio)} % on the second`,
  ];
  if (regionAgreement)
    lines.push(
      `regions   ${percent(regionAgreement.agreement)} % of ${count(comparison.instanceCount)} instances in the same one (kappa ${regionAgreement.kappa.toFixed(3)})`,
    );
  return [...lines.flatMap(hanging), ...matrixLines(regionAgreement?.counts ?? [])].join('\n');
}

function overlapLine(name: string, overlap: SubsetOverlap | undefined): string {
  if (!overlap) return '';
  const {count: one, otherCount, sharedCount, overlap: share, chanceOverlap, jaccard} = overlap;
  return `${name.padEnd(9)} ${count(sharedCount)} of ${count(one)} and ${count(otherCount)} on both: ${percent(share)} % of the first (${percent(chanceOverlap)} % by chance), Jaccard ${jaccard.toFixed(3)}`;
}

const cells = ['ambiguous', 'hard', 'both', 'easy'];

/** The first map down, the second across. */
function matrixLines(counts: number[]): string[] {
  if (counts.length === 0) return [];
  const row = (head: string, values: string[]) =>
    `          ${head.padEnd(10)}${values.map(value => value.padStart(12)).join('')}`.trimEnd();
  const rows = cells.map((cell, at) => row(cell, counts.slice(at * cells.length, (at + 1) * cells.length).map(count)));
  return [row('', cells), ...rows];
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
