// A checkpoint's tensors, under the names that its files give them → the parameters of a model, under the names of the hub.
import type {Checkpoint, ModelConfig, NamedTensor} from '../data/types.js';
import {FtftError, invalidFields} from '../errors.js';
import {normals, randomStream} from '../random.js';
import type {LoadReport} from './classifier.js';
import type {Family, ParameterShape} from './families/family.js';
import {familyOf} from './families.js';
import type {Head} from './heads/head.js';
import {sequenceClassification} from './heads/sequence-classification.js';

/** One tensor of the model, and where its first value comes from. */
export interface Parameter extends ParameterShape {
  /** The checkpoint's tensor; undefined for one that is newly initialised. */
  source: NamedTensor | undefined;
  /** Place among the head's parameters: the counter of the random stream that draws a new one. */
  counter: number;
}

export interface MatchedParameters {
  /** The encoder's, then the head's. */
  parameters: Parameter[];
  /** `used` and `newlyInitialised` by parameter name, `ignored` by the checkpoint's own name. */
  report: LoadReport;
  /** The checkpoint's config with the number of layers that is kept. */
  config: ModelConfig;
}

export interface ModelUse {
  /** Use only the first layers; all when undefined. */
  layers?: number;
  numClasses: number;
  head?: Head;
}

/**
 * Finds every parameter, with or without the family's prefix and under the old names gamma and beta; the head's may be missing.
 * INVALID_ARGUMENT/INVALID_FIELD for more layers than there are; FAILED_PRECONDITION/MODEL_INVALID for weights that do not fit the config.
 */
export function matchParameters(checkpoint: Checkpoint, use: ModelUse): MatchedParameters {
  const {tensors} = checkpoint;
  const {numClasses, head = sequenceClassification} = use;
  const family = familyOf(checkpoint.config);
  const config = {...checkpoint.config, numHiddenLayers: keptLayers(checkpoint, use.layers)};
  checkLayers(checkpoint, family);
  const find = (name: string) =>
    candidates(name, family)
      .map(candidate => tensors.get(candidate))
      .find(tensor => tensor !== undefined);
  const ofEncoder = family.parameters(config);
  const ofHead = head.parameters(family, config, numClasses);
  const parameters = [...ofEncoder, ...ofHead].map(
    ({name, shape}, i): Parameter => ({name, shape, source: find(name), counter: i - ofEncoder.length}),
  );
  const missing = parameters.filter(({source, counter}) => !source && counter < 0).map(({name}) => name);
  if (missing.length > 0) throw invalid(checkpoint, missingTensors(checkpoint, missing));
  for (const parameter of parameters) checkShape(checkpoint, parameter);
  const used = new Set(parameters.map(({source}) => source?.name));
  return {
    parameters,
    config,
    report: {
      used: parameters.filter(({source}) => source).map(({name}) => name),
      newlyInitialised: parameters.filter(({source}) => !source).map(({name}) => name),
      ignored: [...tensors.keys()].filter(name => !used.has(name)),
    },
  };
}

/** Names and shapes of the encoder's and the head's parameters. */
export function expectedParameters(
  config: ModelConfig,
  numClasses: number,
  head: Head = sequenceClassification,
): ParameterShape[] {
  const family = familyOf(config);
  return [...family.parameters(config), ...head.parameters(family, config, numClasses)];
}

/** First value of a parameter: the checkpoint's, else N(0, initializer_range) for weights and 0 for biases. */
export function initialValue(parameter: Parameter, config: ModelConfig, seed: number): Float32Array {
  const {name, shape, source, counter} = parameter;
  if (source) return source.read();
  const size = shape.reduce((product, n) => product * n, 1);
  if (name.endsWith('.bias')) return new Float32Array(size);
  return normals(size, randomStream(seed, 'initialisation', counter)).map(value => value * config.initializerRange);
}

function keptLayers({folder, config}: Checkpoint, layers = config.numHiddenLayers): number {
  const available = config.numHiddenLayers;
  if (Number.isInteger(layers) && layers >= 1 && layers <= available) return layers;
  const description = `must be from 1 to the ${available} layers of the model, current value is ${layers}`;
  throw invalidFields(`Cannot load ${folder}`, [{field: 'layers', description}]);
}

/** The weights must have as many layers as config.json says. */
function checkLayers(checkpoint: Checkpoint, {prefix, layers, layersKey}: Family): void {
  const pattern = new RegExp(`^(?:${prefix}[.])?${layers.replace('.', '[.]')}[.](\\d+)[.]`);
  let found = 0;
  for (const name of checkpoint.tensors.keys()) found = Math.max(found, 1 + Number(name.match(pattern)?.[1] ?? -1));
  const {numHiddenLayers} = checkpoint.config;
  if (found === 0 || found === numHiddenLayers) return;
  throw invalid(
    checkpoint,
    `its weights must have the ${numHiddenLayers} layers of ${layersKey} in config.json, they have ${found}`,
  );
}

function candidates(name: string, {prefix}: Family): string[] {
  const old = name.replace(/LayerNorm[.]weight$/, 'LayerNorm.gamma').replace(/LayerNorm[.]bias$/, 'LayerNorm.beta');
  const names = old === name ? [name] : [name, old];
  const isOfEncoder = name.startsWith(`${prefix}.`);
  return isOfEncoder ? [...names, ...names.map(n => n.slice(prefix.length + 1))] : names;
}

function missingTensors({config, tensors}: Checkpoint, missing: string[]): string {
  const more = missing.length > 1 ? `, nor are ${missing.length - 1} others that a ${config.modelType} has` : '';
  const [first] = tensors.keys();
  return `it must hold tensor ${missing[0]}, which is not there${more}; the first that it holds is ${first ?? 'none'}`;
}

function checkShape(checkpoint: Checkpoint, {source, shape: expected, counter}: Parameter): void {
  const {name, shape} = source ?? {name: '', shape: expected};
  if (String(shape) === String(expected)) return;
  const isOfClasses = counter >= 0 && String(shape.slice(1)) === String(expected.slice(1));
  const why = isOfClasses ? 'the number of classes asked for' : 'config.json';
  throw invalid(checkpoint, `tensor ${name} must have shape [${expected}] by ${why}, its shape is [${shape}]`);
}

function invalid(checkpoint: Checkpoint, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use model ${checkpoint.folder}: ${expected}`, {
    reason: 'MODEL_INVALID',
  });
}
