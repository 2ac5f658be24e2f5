// Stage 5 of 6: the main model, fine-tuned on the selected instances only, by the same loop as the reference.
import type {Classifier} from '../model/classifier.js';
import {type EpochBatches, fineTune} from './fine-tune.js';
import type {TokenizedDataset, TrainingDynamics, TrainingEvent, TrainingOptions} from './types.js';

/** As fineTune over the selected instances, ascending; its dynamics are of the subset. FAILED_PRECONDITION/SELECTION_EMPTY when
 * there are none. */
export async function* fineTuneMain(
  classifier: Classifier,
  dataset: TokenizedDataset,
  instances: Int32Array,
  options: TrainingOptions,
  batchesOf?: EpochBatches,
): AsyncGenerator<TrainingEvent, TrainingDynamics> {
  return yield* fineTune(classifier, dataset, instances, options, batchesOf);
}
