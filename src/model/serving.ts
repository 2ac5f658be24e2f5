// A fine-tuned model folder, opened → a SavedModel of it, which takes what tokenizers give and answers with logits and probabilities.
// B batch · L length · T real tokens of the batch · C classes
import type {Checkpoint, ModelConfig, NamedTensor} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Task} from './classifier.js';
import type {FunctionSpec, InputSpec} from './compile/program.js';
import {writeServable} from './compile/servable.js';
import {composedLayers} from './composed-layers.js';
import type {ModelInputs, ParameterShape} from './families/family.js';
import {familyOf} from './families.js';
import {logitsOf} from './forward.js';
import {computedSizes, graphInputs} from './graph-inputs.js';
import {heads} from './heads.js';
import {gatherRows} from './layers.js';
import {matchParameters} from './parameters.js';
import {type Tensor, tf} from './tensorflow.js';
import {variableOf} from './variables.js';

/**
 * Fills a folder that is new or empty. Everything is float32 and of TensorFlow's own ops, so that TensorFlow alone runs it; dropout is off.
 * FAILED_PRECONDITION/MODEL_INVALID for a model without a trained head, RESOURCE_EXHAUSTED/DISK_FULL.
 */
export function writeSavedModel(folder: string, checkpoint: Checkpoint): void {
  const task = taskOf(checkpoint);
  const {parameters, config} = matchParameters(checkpoint, {
    head: heads[task],
    numClasses: numClassesOf(checkpoint, task),
  });
  const values = new Map<string, NamedTensor>();
  for (const {name, shape, source} of parameters) {
    if (!source) throw untrained(checkpoint, name);
    values.set(name, {name, shape, read: source.read});
  }
  try {
    writeServable(folder, servingFunction(config, parameters, task), values);
  } catch (error) {
    throw isDiskFull(error) ? diskFull(folder, error) : error;
  }
}

/** input_ids, attention_mask and, where the family has types, token_type_ids, all [B, L] → what `answers` says. */
function servingFunction(config: ModelConfig, parameters: readonly ParameterShape[], task: Task): FunctionSpec {
  const grid: InputSpec = {type: 'int32', shape: ['B', 'L']};
  const types: Record<string, InputSpec> = familyOf(config).hasTokenTypes ? {token_type_ids: grid} : {};
  return {
    inputs: {input_ids: grid, attention_mask: grid, ...types},
    sizes: computedSizes(config),
    body({input_ids: ids, attention_mask: mask, token_type_ids: typeIds}, dimensions) {
      const variables = new Map(parameters.map(({name, shape}) => [name, variableOf(name, shape, name)]));
      const weights = (name: string) => variables.get(name)!.read();
      const inputs = graphInputs({ids, mask, typeIds}, config, dimensions);
      return answers[task](logitsOf({config, weights, inputs, layers: composedLayers()}, heads[task]), inputs);
    },
  };
}

/** By the names that transformers gives them. */
const answers: Record<Task, (logits: Tensor, inputs: ModelInputs) => Record<string, Tensor>> = {
  /** Both [B, C]. */
  'sequence-classification': logits_BC => ({logits: logits_BC, probabilities: tf.softmax(logits_BC)}),
  /** Both [B, L, C]; at padding they mean nothing. */
  'token-classification': (logits_TC, {tokens}) => {
    const logits_BLC = gatherRows(logits_TC, tokens);
    return {logits: logits_BLC, probabilities: tf.softmax(logits_BLC)};
  },
  /** Both [B, L]; very negative at padding. */
  'question-answering': (logits_T2, {tokens, maskBias}) => {
    const [start_BL, end_BL] = tf.unstack(gatherRows(logits_T2, tokens), 2);
    const bias_BL = tf.reshape(maskBias, tokens.shape);
    return {start_logits: tf.add(start_BL, bias_BL), end_logits: tf.add(end_BL, bias_BL)};
  },
};

/** By the class of transformers that the folder names; a class of each text when it names none of ours. */
function taskOf({config}: Checkpoint): Task {
  const {architectures} = config.raw;
  const [className] = Array.isArray(architectures) ? architectures.map(String) : [];
  const tasks = Object.keys(heads) as Task[];
  return tasks.find(task => className?.endsWith(heads[task].className)) ?? 'sequence-classification';
}

/** As many as the head's last bias has numbers. */
function numClassesOf(checkpoint: Checkpoint, task: Task): number {
  const {config, tensors} = checkpoint;
  const {name} = heads[task].parameters(familyOf(config), config, 1).at(-1)!;
  const [numClasses] = tensors.get(name)?.shape ?? [];
  if (numClasses === undefined) throw untrained(checkpoint, name);
  return numClasses;
}

function untrained({folder}: Checkpoint, name: string): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot export model ${folder}: it must hold ${name} of its head, which is not there; fine-tune it and export what comes out`,
    {reason: 'MODEL_INVALID'},
  );
}

/** As TensorFlow and Node say it. */
const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(error.message);

function diskFull(folder: string, cause: unknown): FtftError {
  return new FtftError(
    'RESOURCE_EXHAUSTED',
    `Cannot write ${folder}: the disk is full; free some space and try again`,
    {reason: 'DISK_FULL'},
    {cause},
  );
}
