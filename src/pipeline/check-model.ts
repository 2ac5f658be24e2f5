// A model folder and how it is to be used in; its config, or the error that training would have met, out. Without TensorFlow.
import {openCheckpoint} from '../data/checkpoint.js';
import type {ModelConfig} from '../data/types.js';
import {invalidFields} from '../errors.js';
import {familyOf} from '../model/families.js';
import {matchParameters} from '../model/parameters.js';
import {type EncoderShape, encoderShape} from './cost.js';

export interface ModelUse {
  /** All when undefined. */
  layers?: number;
  numClasses: number;
  /** Tokens of the longest input. */
  maxLength: number;
}

/** FAILED_PRECONDITION/MODEL_INVALID for a folder that cannot be used, INVALID_ARGUMENT/INVALID_FIELD for a use it does not allow. */
export async function checkModel(folder: string, use: ModelUse): Promise<{config: ModelConfig; shape: EncoderShape}> {
  const checkpoint = await openCheckpoint(folder);
  const {config} = checkpoint;
  const numLayers = use.layers ?? config.numHiddenLayers;
  const violations = [];
  if (!(Number.isInteger(numLayers) && numLayers >= 1 && numLayers <= config.numHiddenLayers))
    violations.push({
      field: 'spec.layers',
      description: `must be from 1 to the model's ${config.numHiddenLayers} layers, current value is ${numLayers}`,
    });
  const maxLength = familyOf(config).maxLength(config);
  if (use.maxLength > maxLength)
    violations.push({
      field: 'spec.max_length',
      description: `must be at most the model's ${maxLength} positions, current value is ${use.maxLength}`,
    });
  if (violations.length > 0) throw invalidFields(`Cannot use the model in ${folder}`, violations);
  matchParameters(checkpoint, {layers: numLayers, numClasses: use.numClasses});
  return {config, shape: encoderShape(config, numLayers, use.numClasses)};
}
