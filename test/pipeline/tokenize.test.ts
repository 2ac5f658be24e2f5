// Examples → columns of token ids.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {Tokenizer} from '../../src/data/types.js';
import {tokenize} from '../../src/pipeline/tokenize.js';

/** One id a character. */
const tokenizer: Tokenizer = {
  padTokenId: 9,
  vocabSize: 128,
  digest: 'characters',
  encode: (text, textPair, maxLength) => ({
    ids: Array.from(text + (textPair ?? ''), char => char.charCodeAt(0)).slice(0, maxLength),
    secondStart: Math.min(maxLength, text.length),
  }),
};

test('instances lie one after the other, in order, with their offsets, second texts and labels', () => {
  const examples = [
    {uid: 'a', text: 'ab', label: 1},
    {uid: 'b', text: 'c', textPair: 'de', label: 0},
    {uid: 'c', text: '', label: 2},
  ];
  assert.deepEqual(tokenize(examples, tokenizer, {maxLength: 8, numClasses: 3}), {
    inputIds: Int32Array.of(97, 98, 99, 100, 101),
    offsets: Int32Array.of(0, 2, 5, 5),
    secondStarts: Int32Array.of(2, 1, 0),
    labels: Int32Array.of(1, 0, 2),
    numClasses: 3,
    padTokenId: 9,
  });
});

test('texts far longer than expected still fit the columns', () => {
  const long = 'x'.repeat(5000);
  const examples = Array.from({length: 9}, (_, i) => ({uid: String(i), text: long, label: 0}));
  const {inputIds, offsets} = tokenize(examples, tokenizer, {maxLength: 5000, numClasses: 1});
  assert.equal(inputIds.length, 45_000);
  assert.equal(offsets[9], 45_000);
  assert.ok(inputIds.every(id => id === 120));
});

test('a label that is no class index is refused with the instance it is of', () => {
  for (const label of [-1, 2, 0.5, Number.NaN])
    assert.throws(
      () => tokenize([{uid: 'seven', text: 'a', label}], tokenizer, {maxLength: 4, numClasses: 2}),
      /seven.*below 2/,
    );
});
