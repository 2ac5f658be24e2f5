// Compiled equals eager: loss, logits and the gradient of every weight, to 1e-5 of each tensor's largest value, for every parity model, with and without dropout, by both layer sets; and what is compiled does not see padding.
import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {readConfig} from '../../src/config.js';
import type {Batch, Checkpoint} from '../../src/data/types.js';
import {compile, type FunctionSpec, type Program} from '../../src/model/compile/program.js';
import {composedLayers} from '../../src/model/composed-layers.js';
import {familyOf} from '../../src/model/families.js';
import {fusedLayers} from '../../src/model/fused-layers.js';
import {hasFusedKernels, type Tensor, tf} from '../../src/model/tensorflow.js';
import {randomStream} from '../../src/random.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {close, goldenCheckpoint, maxAbs, toBatch} from './golden-models.js';
import {type Functions, gradientFunction, gradientInputs} from './gradient-function.js';
import {type TestModel, testModel} from './test-model.js';

const composed: Functions = {layersOf: composedLayers, isFused: false};
const layerSets = {composed, ...(hasFusedKernels ? {fused: {layersOf: fusedLayers, isFused: true}} : {})};
const lengths = [19, 5, 1, 33];
const miniLm = join(readConfig(process.env).modelDir, 'minilm-l6');
const needsMiniLm = existsSync(join(miniLm, 'model.safetensors'))
  ? false
  : `needs the model in ${miniLm}, which node scripts/setup.mjs fetches`;

type Numbers = Record<string, Float32Array>;

/** Padded to a length, with token ids that would show. */
function batchOf({config}: TestModel, length: number): Batch {
  const random = randomStream(6, 'data');
  const row = (n: number, most: number) => Array.from({length: n}, () => Math.floor(random() * most));
  const ids = lengths.map(n => row(n, config.vocabSize));
  const types = lengths.map(n => row(n, familyOf(config).hasTokenTypes ? Math.max(config.typeVocabSize, 1) : 2));
  const masks = lengths.map(n => new Array(n).fill(1));
  const batch = toBatch({input_ids: ids, token_type_ids: types, attention_mask: masks, labels: [0, 2, 1, 2]}, length);
  batch.attentionMask.forEach((isReal, place) => {
    if (!isReal) batch.inputIds[place] = place % config.vocabSize;
  });
  return batch;
}

const numbersOf = (results: Record<string, Tensor>): Numbers =>
  Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]));

/** A tidy that returns numbers: tf.tidy would look for tensors in each of them. */
function tidied(compute: () => Numbers): Numbers {
  let numbers: Numbers = {};
  tf.tidy(() => {
    numbers = compute();
  });
  return numbers;
}

function compare(actual: Numbers, expected: Numbers, tolerance: number, what: string): void {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    // The true gradient of a key's bias is 0, and what there is of it is noise: it is measured by the query's.
    const scale = maxAbs(
      expected[name.replace(/key(_proj)?\.bias$/, 'query$1.bias').replace('k_lin.bias', 'q_lin.bias')],
    );
    close(actual[name], values, tolerance * scale, `${what}: ${name}`);
  }
}

const cases = Object.entries(layerSets).flatMap(([set, functions]) => [
  {name: set, functions, seed: undefined},
  {name: `${set}-dropout`, functions, seed: 11},
]);

function checkModel(open: () => Promise<Checkpoint>, tolerance = 1e-5): void {
  const longest = Math.max(...lengths);
  let model: TestModel;
  let program: Program | undefined;
  let functions: Record<string, FunctionSpec> | undefined;

  before(async () => {
    model = testModel(await open());
  });
  after(() => program?.dispose());

  const compiledProgram = () => {
    const recorded = cases.map(({name, functions, seed}) => [
      name,
      gradientFunction(model, functions, seed !== undefined),
    ]);
    functions ??= Object.fromEntries(recorded) as Record<string, FunctionSpec>;
    program ??= compile(functions);
    return program;
  };
  const compiled = (name: string, seed?: number, length = longest): Numbers =>
    tidied(() => {
      const program = compiledProgram();
      return numbersOf(program.run(name, gradientInputs(model, batchOf(model, length), functions![name], seed)));
    });
  const eager = (seed?: number): Numbers =>
    tidied(() => {
      const composedFunction = gradientFunction(model, composed, seed !== undefined);
      const results = composedFunction.body(gradientInputs(model, batchOf(model, longest), composedFunction, seed), {});
      const numbers = numbersOf(results);
      results.logits.dispose();
      return numbers;
    });

  for (const seed of [undefined, 11])
    test(`compiled equals eager, padded or not, ${seed ? 'with' : 'without'} dropout`, () => {
      const expected = eager(seed);
      for (const {name} of cases.filter(other => other.seed === seed)) {
        const unpadded = compiled(name, seed);
        compare(unpadded, expected, tolerance, name);
        compare(compiled(name, seed, longest + 15), unpadded, tolerance, `${name}, padded`);
      }
    });
}

for (const name of needsShared ? [] : readdirSync(sharedPath('golden', 'models')))
  describe(`the model ${name}`, () => {
    checkModel(() => goldenCheckpoint(sharedPath('golden', 'models', name)));
  });

// Of its norms' gradients, sums that nearly cancel, two ways to multiply the same matrices differ by up to 1.3e-5 of the largest.
describe('the real MiniLM', {skip: needsMiniLm}, () => checkModel(() => goldenCheckpoint(miniLm), 2e-5));
