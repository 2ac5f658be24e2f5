// Rows of both sides in; the comparison per stage and test set, as numbers and as a printed table, out.
import Table from 'cli-table3';
import {fromBits, type RecipeRow, type Stage, stages, type TestSet, testSets} from './recipe-results.js';
import {allowedDifference, type Comparison, compareMeans, mean} from './statistics.js';

/** Accuracy points that two means may always differ by. */
export const leastAllowed = 1.5;

export interface RecipeComparison extends Comparison {
  stage: Stage;
  testSet: TestSet;
  /** Seeds that both sides have. */
  seeds: number[];
  allowed: number;
  isWithin: boolean;
}

/** In accuracy points, over the seeds that both sides have; stages without such a seed are left out. */
export function compareRecipes(ours: RecipeRow[], peer: RecipeRow[]): RecipeComparison[] {
  return stages.flatMap(stage => {
    const seeds = seedsOf(ours, stage).filter(seed => seedsOf(peer, stage).includes(seed));
    if (seeds.length === 0) return [];
    return testSets.map(testSet => {
      const points = (rows: RecipeRow[]) =>
        seeds.map(seed => 100 * rows.find(row => row.stage === stage && row.seed === seed)!.accuracy[testSet]);
      const comparison = compareMeans(points(ours), points(peer));
      const allowed = allowedDifference(comparison, leastAllowed);
      return {...comparison, stage, testSet, seeds, allowed, isWithin: Math.abs(comparison.difference) <= allowed};
    });
  });
}

const seedsOf = (rows: RecipeRow[], stage: Stage): number[] =>
  [...new Set(rows.filter(row => row.stage === stage).map(row => row.seed))].sort((a, b) => a - b);

export function printRecipe(ours: RecipeRow[], peer: RecipeRow[]): void {
  const table = new Table({
    head: ['stage', 'test set', 'seeds', 'ftft', 'PyTorch', 'difference', '2 SE', 'allowed', 'within'],
    style: {head: [], border: []},
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const {
    stage,
    testSet,
    seeds,
    ours: own,
    peer: other,
    difference,
    standardError,
    allowed,
    isWithin,
  } of compareRecipes(ours, peer)) {
    const error = Number.isNaN(standardError) ? '–' : (2 * standardError).toFixed(1);
    const cells = [own, other, difference].map(points => points.toFixed(1));
    table.push([stage, testSet, seeds.join(' '), ...cells, error, allowed.toFixed(1), isWithin ? 'yes' : 'NO']);
  }
  console.log(table.toString());
  for (const [name, rows] of [
    ['ftft', ours],
    ['PyTorch', peer],
  ] as const)
    for (const line of sideLines(name, rows)) console.log(line);
}

/** What one side says of its own maps: easy share of the reference, overlap of its ambiguous share with the main model's own. */
function sideLines(name: string, rows: RecipeRow[]): string[] {
  const references = rows.filter(row => row.stage === 'reference');
  if (references.length === 0) return [];
  const overlaps = references.flatMap(({seed, ambiguous}) => {
    const own = rows.find(row => row.stage === 'erm' && row.seed === seed)?.ambiguous;
    return own && ambiguous ? [overlap(fromBits(ambiguous), fromBits(own))] : [];
  });
  const easy = mean(references.map(row => row.easy ?? Number.NaN)).toFixed(2);
  const shared = overlaps.length === 0 ? '–' : mean(overlaps).toFixed(2);
  return [
    `${name}: easy share of the reference ${easy}, overlap of its ambiguous third with the main model's own ${shared}`,
  ];
}

/** Share of the first set that is in the second too. */
export function overlap(first: Int32Array, second: Int32Array): number {
  const others = new Set(second);
  return first.filter(instance => others.has(instance)).length / first.length;
}
