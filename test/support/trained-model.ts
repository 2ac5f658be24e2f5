// A folder with what a run leaves: the tiny BERT with a head, a step of training behind it.
import {saveModelFolder} from '../../src/data/checkpoint.js';
import {loadClassifier} from '../../src/pipeline/load-classifier.js';
import {tinyBatch} from '../model/tiny-checkpoint.js';
import {writeTinyModel} from './tiny-model.js';

export const trainedClasses = ['cat', 'dog', 'bird'];

export async function writeTrainedModel(folder: string): Promise<void> {
  await writeTinyModel(folder);
  const classifier = await loadClassifier(folder, {classNames: trainedClasses, seed: 1, weightDecay: 0});
  await classifier.trainStep(tinyBatch(), {step: 0, learningRate: 1e-3});
  const saved = {config: classifier.config(), tensors: classifier.weights(), tokenizerFolder: folder};
  await saveModelFolder(folder, saved);
  classifier.dispose();
}
