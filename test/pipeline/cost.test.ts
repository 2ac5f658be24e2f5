// Sizes → estimated operations, beside the products of one forward pass counted one by one.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {parseModelConfig} from '../../src/data/model-config.js';
import {type EncoderShape, encoderShape, forwardFlops, trainingFlops} from '../../src/pipeline/cost.js';
import {needsShared, sharedPath} from '../support/shared.js';

const lengths = [40, 12, 7];
const miniLm: EncoderShape = {
  numLayers: 6,
  hiddenSize: 384,
  intermediateSize: 1536,
  embeddingSize: 384,
  numClasses: 2,
};

const product = (rows: number, inner: number, columns: number) => 2 * rows * inner * columns;

/** Every matrix product of a BERT's forward pass; of the last layer's after its attention, those of first tokens. */
function countedProducts(
  {numLayers, hiddenSize: D, intermediateSize: F, numClasses: C}: EncoderShape,
  texts: number[],
): number {
  const T = texts.reduce((total, length) => total + length, 0);
  const B = texts.length;
  let flops = 0;
  for (let layer = 1; layer <= numLayers; layer++) {
    const numRead = layer === numLayers ? B : T;
    flops += 3 * product(T, D, D);
    for (const length of texts) flops += product(length, D, length) + product(length, length, D);
    flops += product(numRead, D, D) + product(numRead, D, F) + product(numRead, F, D);
  }
  return flops + product(B, D, D) + product(B, D, C);
}

test('a forward pass costs what its matrix products cost, of the last layer those of first tokens alone', () => {
  assert.equal(forwardFlops(miniLm)(lengths), countedProducts(miniLm, lengths));
  assert.equal(forwardFlops({...miniLm, numLayers: 1})(lengths), countedProducts({...miniLm, numLayers: 1}, lengths));
});

test('padding costs nothing: texts cost the same in one batch as alone', () => {
  const alone = lengths.reduce((total, length) => total + forwardFlops(miniLm)([length]), 0);
  assert.equal(forwardFlops(miniLm)(lengths), alone);
});

test('an update costs three forward passes, and nothing costs nothing', () => {
  assert.equal(trainingFlops(miniLm)(lengths), 3 * forwardFlops(miniLm)(lengths));
  assert.equal(forwardFlops(miniLm)([]), 0);
});

test('embeddings narrower than the layers cost their projection', () => {
  const extra = forwardFlops({...miniLm, embeddingSize: 128})(lengths) - forwardFlops(miniLm)(lengths);
  assert.equal(extra, product(40 + 12 + 7, 128, 384));
});

test("DeBERTa's relative positions cost their projections and their scores, its convolution a product", () => {
  const relativePositions = {
    ...{buckets: 0, maxDistance: 512, span: 512},
    ...{hasContentToPosition: true, hasPositionToContent: true, isKeyShared: true, isNormed: true},
  };
  const extra = (more: Partial<EncoderShape>) =>
    forwardFlops({...miniLm, ...more})(lengths) - forwardFlops(miniLm)(lengths);
  // Without buckets each distance has a position of its own: 2 l - 1 of a text of l tokens.
  const scores = lengths.reduce((total, length) => total + product(length, 384, 2 * length - 1), 0);
  assert.equal(extra({relativePositions}), 6 * 2 * (product(79, 384, 384) + scores));
  const oneKind = {...relativePositions, hasPositionToContent: false};
  assert.equal(extra({relativePositions: oneKind}), 6 * (product(79, 384, 384) + scores));
  assert.equal(extra({convolutionSize: 3}), product(40 + 12 + 7, 3 * 384, 384));
});

test('distances that share a bucket are projected and scored once', () => {
  const relativePositions = {
    ...{buckets: 8, maxDistance: 512, span: 8},
    ...{hasContentToPosition: true, hasPositionToContent: true, isKeyShared: true, isNormed: true},
  };
  const layer = {...miniLm, numLayers: 1};
  const extra = forwardFlops({...layer, relativePositions})([100]) - forwardFlops(layer)([100]);
  // 99 tokens apart: the bucket 4 + ⌈3 log(99 / 4) / log(511 / 4)⌉ = 6, on either side of 0: 13 positions.
  assert.equal(extra, 2 * (product(13, 384, 384) + product(100, 384, 13)));
});

test('every family has its shape', {skip: needsShared}, () => {
  const folder = sharedPath('golden', 'models');
  const families = new Set<string>();
  for (const name of readdirSync(folder)) {
    const file = join(folder, name, 'config.json');
    const config = parseModelConfig(file, readFileSync(file, 'utf8'));
    families.add(config.modelType);
    const {hiddenSize, embeddingSize, relativePositions, convolution} = config;
    const shape = encoderShape(config, 1, 3);
    const extra = forwardFlops(shape)(lengths) - countedProducts(shape, lengths);
    const isLarger = embeddingSize !== hiddenSize || Boolean(relativePositions) || Boolean(convolution);
    assert.equal(extra > 0, isLarger, name);
  }
  assert.deepEqual([...families].sort(), ['bert', 'deberta-v2', 'distilbert', 'electra', 'roberta']);
});
