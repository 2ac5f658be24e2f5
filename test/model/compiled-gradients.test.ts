// Compiled equals eager: loss, logits and the gradient of every weight, to 1e-5 of each tensor's largest value, for every parity model that
// can be loaded, with and without dropout, by both layer sets; and what is compiled does not see padding.
import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {readConfig} from '../../src/config.js';
import type {Batch, Checkpoint} from '../../src/data/types.js';
import {FtftError} from '../../src/errors.js';
import {compile, type Program} from '../../src/model/compile/program.js';
import {composedLayers} from '../../src/model/composed-layers.js';
import {fusedLayers} from '../../src/model/fused-layers.js';
import {hasFusedKernels, type Tensor, tf} from '../../src/model/tensorflow.js';
import {randomStream} from '../../src/random.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {close, goldenCheckpoint, maxAbs, toBatch} from './golden-models.js';
import {gradientFunction, gradientInputs, type Model, modelOf} from './gradient-function.js';

const layerSets = {composed: composedLayers, ...(hasFusedKernels ? {fused: fusedLayers} : {})};
const lengths = [19, 5, 1, 33];
const miniLm = join(readConfig(process.env).modelDir, 'minilm-l6');
const needsMiniLm = existsSync(join(miniLm, 'model.safetensors'))
  ? false
  : `needs the model in ${miniLm}, which node scripts/setup.mjs fetches`;

type Numbers = Record<string, Float32Array>;

/** Padded to a length, with token ids that would show. */
function batchOf({config}: Model, length: number): Batch {
  const random = randomStream(6, 'data');
  const row = (n: number, most: number) => Array.from({length: n}, () => Math.floor(random() * most));
  const ids = lengths.map(n => row(n, config.vocabSize));
  const types = lengths.map(n => row(n, config.typeVocabSize));
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

function compare(actual: Numbers, expected: Numbers, what: string): void {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    // The true gradient of a key's bias is 0, and what there is of it is noise: it is measured by the query's.
    const scale = maxAbs(expected[name.replace('self.key.bias', 'self.query.bias')]);
    close(actual[name], values, 1e-5 * scale, `${what}: ${name}`);
  }
}

const cases = Object.entries(layerSets).flatMap(([set, layersOf]) => [
  {name: set, layersOf, seed: undefined},
  {name: `${set}-dropout`, layersOf, seed: 11},
]);

function checkModel(open: () => Promise<Checkpoint>): void {
  const longest = Math.max(...lengths);
  let model: Model;
  let program: Program | undefined;

  before(async () => {
    model = modelOf(await open());
  });
  after(() => program?.dispose());

  const compiledProgram = () => {
    const functions = cases.map(({name, layersOf, seed}) => [
      name,
      gradientFunction(model, layersOf, seed !== undefined),
    ]);
    program ??= compile(Object.fromEntries(functions));
    return program;
  };
  const compiled = (name: string, seed?: number, length = longest): Numbers =>
    tidied(() => numbersOf(compiledProgram().run(name, gradientInputs(model, batchOf(model, length), seed))));
  const eager = (seed?: number): Numbers =>
    tidied(() => {
      const {body} = gradientFunction(model, composedLayers, seed !== undefined);
      const results = body(gradientInputs(model, batchOf(model, longest), seed), {});
      const numbers = numbersOf(results);
      results.logits.dispose();
      return numbers;
    });

  for (const seed of [undefined, 11])
    test(`compiled equals eager, padded or not, ${seed ? 'with' : 'without'} dropout`, () => {
      const expected = eager(seed);
      for (const {name} of cases.filter(other => other.seed === seed)) {
        const unpadded = compiled(name, seed);
        compare(unpadded, expected, name);
        compare(compiled(name, seed, longest + 15), unpadded, `${name}, padded`);
      }
    });
}

for (const name of await loadableModels())
  describe(`the model ${name}`, () => {
    checkModel(() => goldenCheckpoint(sharedPath('golden', 'models', name)));
  });

describe('the real MiniLM', {skip: needsMiniLm}, () => checkModel(() => goldenCheckpoint(miniLm)));

test('the parity models that can be loaded are found', {skip: needsShared}, async () => {
  const models = await loadableModels();
  for (const name of ['bert', 'bert-bin', 'bert-half', 'bert-noprefix', 'bert-pretraining', 'bert-sharded'])
    assert.ok(models.includes(name), `${name} is not among ${models}`);
});

/** Of the parity kit, those whose family has its encoder here. */
async function loadableModels(): Promise<string[]> {
  if (needsShared) return [];
  const names = readdirSync(sharedPath('golden', 'models'));
  const isLoadable = names.map(name =>
    goldenCheckpoint(sharedPath('golden', 'models', name)).then(
      () => true,
      error => {
        if (error instanceof FtftError && error.code === 'UNIMPLEMENTED') return false;
        throw error;
      },
    ),
  );
  const found = await Promise.all(isLoadable);
  return names.filter((_, i) => found[i]);
}
