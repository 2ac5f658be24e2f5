// A fine-tuned model folder in, the SavedModel of it for TensorFlow Serving and Triton out. TensorFlow is loaded only when this is called.
import {join} from 'node:path';
import {copyTokenizer, openCheckpoint} from '../data/checkpoint.js';

/**
 * Fills a folder that is new or empty. Beside the SavedModel lie, in assets.extra/, the tokenizer and config.json, which has the classes' names.
 * FAILED_PRECONDITION/MODEL_INVALID for a folder that holds no fine-tuned classifier, RESOURCE_EXHAUSTED/DISK_FULL.
 */
export async function exportModel(modelFolder: string, folder: string): Promise<void> {
  const checkpoint = await openCheckpoint(modelFolder);
  const {writeSavedModel} = await import('../model/serving.js');
  writeSavedModel(folder, checkpoint);
  await copyTokenizer(modelFolder, join(folder, 'assets.extra'), ['config.json']);
}
