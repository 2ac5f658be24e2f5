import assert from 'node:assert/strict';
import {test} from 'node:test';
import {type AddedToken, addedTokenSplitter} from '../../src/data/added-tokens.js';

const token = (id: number, content: string, rules: Partial<AddedToken> = {}): AddedToken => ({
  id,
  content,
  isSingleWord: false,
  stripsLeft: false,
  stripsRight: false,
  isNormalized: false,
  ...rules,
});

test('added tokens are found leftmost, the longest of those that begin there, without overlap', () => {
  const split = addedTokenSplitter([token(1, '<a>'), token(2, '<a><b>'), token(3, '<b>'), token(4, '\u{1f600}')]);
  assert.deepEqual(split('x<a>y'), ['x', 1, 'y']);
  assert.deepEqual(split('<a><b><b>'), [2, 3]);
  assert.deepEqual(split('<a><b'), [1, '<b']);
  assert.deepEqual(split('<<a>'), ['<', 1]);
  assert.deepEqual(split('\u{1f601}\u{1f600}'), ['\u{1f601}', 4]);
  assert.deepEqual(split('none'), ['none']);
  assert.deepEqual(split(''), ['']);
  assert.deepEqual(addedTokenSplitter([])('<a>'), ['<a>']);
});

test('a token takes the white space that its rules give it, but none that another token has taken', () => {
  const left = token(1, '<l>', {stripsLeft: true});
  const right = token(2, '<r>', {stripsRight: true});
  const split = addedTokenSplitter([left, right, token(3, '<n>')]);
  assert.deepEqual(split('a \u3000<l> b'), ['a', 1, ' b']);
  assert.deepEqual(split('a <r> \u0085b'), ['a ', 2, 'b']);
  assert.deepEqual(split('<r>  <l> <n>'), [2, 1, ' ', 3]);
  assert.deepEqual(split(' <l>'), [1]);
});

test('a token that is a word of its own is not found beside word characters', () => {
  const split = addedTokenSplitter([token(1, 'ab', {isSingleWord: true})]);
  assert.deepEqual(split('ab cab ab. (ab)'), [1, ' cab ', 1, '. (', 1, ')']);
  assert.deepEqual(split('ab\u0301 _ab \u{10400}ab ab\u{10400} \u{1f600}ab'), [
    'ab\u0301 _ab \u{10400}ab ab\u{10400} \u{1f600}',
    1,
  ]);
});
