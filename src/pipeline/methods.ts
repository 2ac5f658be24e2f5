// The ways to train a main model that are compared with one another: what each trains on. All else of a comparison stays the same.
import type {Region, Selection} from './types.js';

/**
 * erm: everything; data-map: the ambiguous instances of a reference that is the main model itself; ftft: those of another one;
 * random and hard-to-learn: as many instances, drawn at random or of the lowest confidence.
 */
export type Method = 'erm' | 'data-map' | 'ftft' | 'random' | 'hard-to-learn';

export const methods: readonly Method[] = ['erm', 'data-map', 'ftft', 'random', 'hard-to-learn'];

const regions: Record<Exclude<Method, 'erm'>, Region> = {
  'data-map': 'ambiguous',
  ftft: 'ambiguous',
  random: 'random',
  'hard-to-learn': 'hard-to-learn',
};

/** The selection with what the method selects. */
export const selectionOf = (method: Exclude<Method, 'erm'>, selection: Selection): Selection => ({
  ...selection,
  criterion: {region: regions[method]},
});

/** Of the ERM length: a third, of which FTFT's paper says that it is enough; the whole for ERM itself. */
export const defaultStepFraction = (method: Method | undefined): number => (method === 'erm' ? 1 : 1 / 3);
