// Stage 2 of 6: plain fine-tuning (ERM) over the whole train split, whose by-product is how each instance was learnt.
import {invalidFields} from '../errors.js';
import type {Classifier} from '../model/classifier.js';
import {type EpochBatches, fineTune} from './fine-tune.js';
import {stepsPerEpoch} from './schedule.js';
import type {TokenizedDataset, TrainingDynamics, TrainingEvent, TrainingOptions} from './types.js';

/** As fineTune over all instances. INVALID_ARGUMENT/INVALID_FIELD for fewer than two whole epochs: variability needs two. */
export async function* trainReference(
  classifier: Classifier,
  dataset: TokenizedDataset,
  options: TrainingOptions,
  batchesOf?: EpochBatches,
): AsyncGenerator<TrainingEvent, TrainingDynamics> {
  const numInstances = dataset.labels.length;
  const wholeEpochs = Math.floor(options.totalSteps / stepsPerEpoch(numInstances, options.batchSize));
  if (wholeEpochs < 2)
    throw invalidFields('Cannot train a reference', [
      {
        field: 'spec.epochs',
        description: `must be at least 2, since variability needs two, current value is ${wholeEpochs}`,
      },
    ]);
  const everyInstance = Int32Array.from({length: numInstances}, (_, i) => i);
  return yield* fineTune(classifier, dataset, everyInstance, options, batchesOf);
}
