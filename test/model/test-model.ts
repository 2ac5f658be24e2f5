// A checkpoint with one of the layer sets, outside of an engine: its hidden states, its loss and the gradient of every weight, as numbers.
import type {Batch, Checkpoint, ModelConfig} from '../../src/data/types.js';
import {batchInputs, labelsOf} from '../../src/model/batch-inputs.js';
import {composedLayers} from '../../src/model/composed-layers.js';
import {familyOf} from '../../src/model/families.js';
import {fusedLayers} from '../../src/model/fused-layers.js';
import type {Head} from '../../src/model/heads/head.js';
import {sequenceClassification} from '../../src/model/heads/sequence-classification.js';
import type {LayerSet} from '../../src/model/layer-set.js';
import {lossGradients} from '../../src/model/loss-gradients.js';
import {initialValue, matchParameters, type Parameter} from '../../src/model/parameters.js';
import {hasFusedKernels, type Tensor, tf} from '../../src/model/tensorflow.js';
import {sharedPath} from '../support/shared.js';
import {goldenCheckpoint} from './golden-models.js';

export interface TestModel {
  checkpoint: Checkpoint;
  /** Of the layers that are kept. */
  config: ModelConfig;
  parameters: Parameter[];
  head: Head;
}

export const layerSets: {name: string; layersOf: (seeds?: Tensor) => LayerSet; skip: string | false}[] = [
  {name: 'composed', layersOf: composedLayers, skip: false},
  {
    name: 'fused',
    layersOf: fusedLayers,
    skip: !hasFusedKernels && 'no fused kernels: they are built for the CPU alone',
  },
];

export function testModel(checkpoint: Checkpoint, head: Head = sequenceClassification, numClasses = 3): TestModel {
  return {checkpoint, head, ...matchParameters(checkpoint, {numClasses, head})};
}

export const goldenModel = async (name: string): Promise<TestModel> =>
  testModel(await goldenCheckpoint(sharedPath('golden', 'models', name)));

/** [T, D] after the embeddings and after each layer. */
export function hiddenStatesOf(model: TestModel, batch: Batch, layers: LayerSet): Float32Array[] {
  const {config, parameters} = model;
  return tf.tidy(() => {
    const tensors = tensorsOf(model);
    const values = new Map(parameters.map(({name}, i) => [name, tensors[i]]));
    const pass = {config, weights: (name: string) => values.get(name)!, inputs: batchInputs(batch, config), layers};
    return Array.from(familyOf(config).hiddenStates(pass), x => x.dataSync() as Float32Array);
  });
}

/** Gradients by the name of their parameter. */
export function lossGradientsOf(
  model: TestModel,
  batch: Batch,
  layers: LayerSet,
): {loss: number; logits: Float32Array; gradients: Map<string, Float32Array>} {
  const {config, head, parameters} = model;
  const names = parameters.map(({name}) => name);
  tf.engine().startScope();
  try {
    const pass = {config, inputs: batchInputs(batch, config), layers};
    const {loss, logits, gradients} = lossGradients(names, tensorsOf(model), pass, head, labelsOf(batch, head));
    const result = {
      loss: loss.dataSync()[0],
      logits: logits.dataSync() as Float32Array,
      gradients: new Map(names.map((name, i) => [name, gradients[i].dataSync() as Float32Array])),
    };
    logits.dispose();
    return result;
  } finally {
    tf.engine().endScope();
  }
}

const tensorsOf = ({parameters, config}: TestModel): Tensor[] =>
  parameters.map(parameter => tf.tensor(initialValue(parameter, config, 0), parameter.shape));
