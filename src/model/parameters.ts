// A checkpoint's tensors, under the names that its files give them → the parameters of the classifier, under the names of the hub.
import type {Checkpoint, ModelConfig, NamedTensor} from '../data/types.js';
import {FtftError, invalidFields} from '../errors.js';
import {normals, randomStream} from '../random.js';
import type {LoadReport} from './classifier.js';

/** One tensor of the classifier, and where its first value comes from. */
export interface Parameter {
  /** As transformers' BertForSequenceClassification names it. */
  name: string;
  shape: number[];
  /** The checkpoint's tensor; undefined for one that is newly initialised. */
  source: NamedTensor | undefined;
}

export interface MatchedParameters {
  /** In the order of transformers' state dict. */
  parameters: Parameter[];
  /** `used` and `newlyInitialised` by parameter name, `ignored` by the checkpoint's own name. */
  report: LoadReport;
  /** The checkpoint's config with the number of layers that is kept. */
  config: ModelConfig;
}

/** What a checkpoint of an encoder may lack; a parameter's place in this list is the counter of its random stream. */
const mayBeNew = ['bert.pooler.dense.weight', 'bert.pooler.dense.bias', 'classifier.weight', 'classifier.bias'];

/**
 * Finds every parameter, with or without the prefix `bert.` and under the old names gamma and beta. INVALID_ARGUMENT/INVALID_FIELD for more
 * layers than there are; FAILED_PRECONDITION/MODEL_INVALID for a tensor that is missing or does not fit the config, the head included.
 */
export function matchParameters(
  checkpoint: Checkpoint,
  {layers, numClasses}: {layers?: number; numClasses: number},
): MatchedParameters {
  const available = checkpoint.config.numHiddenLayers;
  const kept = layers ?? available;
  if (!Number.isInteger(kept) || kept < 1 || kept > available)
    throw invalidFields(`Cannot load ${checkpoint.folder}`, [
      {
        field: 'layers',
        description: `must be from 1 to the ${available} layers of the model, current value is ${kept}`,
      },
    ]);
  const config = {...checkpoint.config, numHiddenLayers: kept};
  const parameters = expectedParameters(config, numClasses).map(({name, shape}) => {
    const source = candidates(name)
      .map(candidate => checkpoint.tensors.get(candidate))
      .find(tensor => tensor !== undefined);
    if (source) checkShape(checkpoint, source, shape);
    else if (!mayBeNew.includes(name)) throw invalid(checkpoint, `it must hold tensor ${name}, which is not there`);
    return {name, shape, source};
  });
  const used = new Set(parameters.map(({source}) => source?.name));
  return {
    parameters,
    config,
    report: {
      used: parameters.filter(({source}) => source).map(({name}) => name),
      newlyInitialised: parameters.filter(({source}) => !source).map(({name}) => name),
      ignored: [...checkpoint.tensors.keys()].filter(name => !used.has(name)),
    },
  };
}

/** Names and shapes of BertForSequenceClassification, in the order of its state dict. */
export function expectedParameters(config: ModelConfig, numClasses: number): {name: string; shape: number[]}[] {
  const {hiddenSize: D, intermediateSize: F} = config;
  const dense = (name: string, outputs: number, inputs: number) => [
    {name: `${name}.weight`, shape: [outputs, inputs]},
    {name: `${name}.bias`, shape: [outputs]},
  ];
  const norm = (name: string) => [
    {name: `${name}.LayerNorm.weight`, shape: [D]},
    {name: `${name}.LayerNorm.bias`, shape: [D]},
  ];
  const layer = (name: string) => [
    ...dense(`${name}.attention.self.query`, D, D),
    ...dense(`${name}.attention.self.key`, D, D),
    ...dense(`${name}.attention.self.value`, D, D),
    ...dense(`${name}.attention.output.dense`, D, D),
    ...norm(`${name}.attention.output`),
    ...dense(`${name}.intermediate.dense`, F, D),
    ...dense(`${name}.output.dense`, D, F),
    ...norm(`${name}.output`),
  ];
  return [
    {name: 'bert.embeddings.word_embeddings.weight', shape: [config.vocabSize, D]},
    {name: 'bert.embeddings.position_embeddings.weight', shape: [config.maxPositionEmbeddings, D]},
    {name: 'bert.embeddings.token_type_embeddings.weight', shape: [config.typeVocabSize, D]},
    ...norm('bert.embeddings'),
    ...Array.from({length: config.numHiddenLayers}, (_, i) => layer(`bert.encoder.layer.${i}`)).flat(),
    ...dense('bert.pooler.dense', D, D),
    ...dense('classifier', numClasses, D),
  ];
}

/** First value of a parameter: the checkpoint's, else N(0, initializer_range) for weights and 0 for biases. */
export function initialValue({name, shape, source}: Parameter, config: ModelConfig, seed: number): Float32Array {
  if (source) return source.read();
  const size = shape.reduce((product, n) => product * n, 1);
  if (name.endsWith('.bias')) return new Float32Array(size);
  const values = normals(size, randomStream(seed, 'initialisation', mayBeNew.indexOf(name)));
  return values.map(value => value * config.initializerRange);
}

function candidates(name: string): string[] {
  const old = name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
  const names = old === name ? [name] : [name, old];
  return [...names, ...names.filter(n => n.startsWith('bert.')).map(n => n.slice('bert.'.length))];
}

function checkShape(checkpoint: Checkpoint, {name, shape}: NamedTensor, expected: number[]): void {
  if (shape.length === expected.length && shape.every((n, i) => n === expected[i])) return;
  const why = name.startsWith('classifier.') ? 'the number of classes asked for' : 'config.json';
  throw invalid(checkpoint, `tensor ${name} must have shape [${expected}] by ${why}, its shape is [${shape}]`);
}

function invalid(checkpoint: Checkpoint, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use model ${checkpoint.folder}: ${expected}`, {
    reason: 'MODEL_INVALID',
  });
}
