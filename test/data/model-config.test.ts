// config.json of every family → what the program computes by, or one error.
import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {parseModelConfig} from '../../src/data/model-config.js';
import {FtftError} from '../../src/errors.js';
import {randomStream} from '../../src/random.js';
import {config as bert, ftftError} from './model-folder.js';

const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
const isUnsupported = (message: RegExp) => ftftError('UNIMPLEMENTED', 'NOT_SUPPORTED', message);
const parse = (value: unknown) =>
  parseModelConfig('config.json', typeof value === 'string' ? value : JSON.stringify(value));

const distilbert = {
  model_type: 'distilbert',
  vocab_size: 12,
  dim: 4,
  n_layers: 1,
  n_heads: 2,
  hidden_dim: 8,
  max_position_embeddings: 16,
};
const deberta = {
  ...bert,
  model_type: 'deberta-v2',
  relative_attention: true,
  position_buckets: 8,
  norm_rel_ebd: 'layer_norm',
  share_att_key: true,
  pos_att_type: 'p2c|c2p',
  position_biased_input: false,
};

describe('config.json', () => {
  test('each family has the defaults of its config class in transformers', () => {
    const roberta = parse({...bert, model_type: 'roberta'});
    assert.deepEqual([roberta.modelType, roberta.padTokenId, roberta.typeVocabSize], ['roberta', 1, 2]);
    const electra = parse({...bert, model_type: 'electra'});
    assert.deepEqual([electra.embeddingSize, electra.hiddenSize, electra.layerNormEps], [128, 4, 1e-12]);
    const distil = parse({...distilbert, dropout: 0.3});
    assert.deepEqual(
      [distil.hiddenDropoutProb, distil.classifierDropout, distil.tokenDropout, distil.answerDropout],
      [0.3, 0.2, 0.3, 0.1],
    );
    assert.deepEqual([distil.numHiddenLayers, distil.intermediateSize, distil.typeVocabSize], [1, 8, 0]);
    const plain = parse({...bert, model_type: 'deberta-v2'});
    assert.deepEqual(
      [plain.relativePositions, plain.convolution, plain.hasPositionEmbeddings],
      [undefined, undefined, true],
    );
    assert.deepEqual(
      [plain.typeVocabSize, plain.layerNormEps, plain.pooler],
      [0, 1e-7, {dropout: 0, activation: 'gelu'}],
    );
  });

  test("DeBERTa's relative positions are a list of names, or names with bars between them", () => {
    const expected = {
      buckets: 8,
      maxDistance: 16,
      span: 8,
      hasContentToPosition: true,
      hasPositionToContent: true,
      isKeyShared: true,
      isNormed: true,
    };
    assert.deepEqual(parse(deberta).relativePositions, expected);
    assert.deepEqual(parse({...deberta, pos_att_type: ['c2p', 'p2c']}).relativePositions, expected);
    const others = {pos_att_type: 'c2p', position_buckets: -1, max_relative_positions: 5, share_att_key: false};
    assert.deepEqual(parse({...deberta, ...others, norm_rel_ebd: 'none'}).relativePositions, {
      buckets: 0,
      maxDistance: 5,
      span: 5,
      hasContentToPosition: true,
      hasPositionToContent: false,
      isKeyShared: false,
      isNormed: false,
    });
  });

  const wrong: [string, unknown, RegExp][] = [
    ['no JSON', '{', /config.json: it must be JSON/],
    ['a list', '[]', /must be a JSON object/],
    [
      'no hidden size',
      {...bert, hidden_size: undefined},
      /hidden_size must be a whole number from 1 to 65536, found none/,
    ],
    ['too many layers', {...bert, num_hidden_layers: 2 ** 40}, /num_hidden_layers must be .* found 1099511627776/],
    [
      'heads that do not fit',
      {...bert, num_attention_heads: 3},
      /multiple of the number of attention heads, found 4 and 3/,
    ],
    ['dropout of all', {...bert, hidden_dropout_prob: 1}, /hidden_dropout_prob must be a number in \[0, 1\), found 1/],
    ['text for a number', {...bert, layer_norm_eps: '1e-12'}, /layer_norm_eps must be/],
    [
      'padding beyond the vocabulary',
      {...bert, pad_token_id: 12},
      /pad_token_id must be below vocab_size 12, found 12/,
    ],
    ['no types where they are read', {...bert, type_vocab_size: 0}, /type_vocab_size must be at least 1, found 0/],
    [
      'RoBERTa without room for a position',
      {...bert, model_type: 'roberta', max_position_embeddings: 2},
      /max_position_embeddings must be at least 3, found 2/,
    ],
    ['sizes of BERT in DistilBERT', {...bert, model_type: 'distilbert'}, /dim must be a whole number .*, found none/],
    ['a flag that is text', {...deberta, share_att_key: 'yes'}, /share_att_key must be true or false, found "yes"/],
    [
      'more buckets than distances',
      {...deberta, position_buckets: 30},
      /position_buckets must be from 2 to .*, found 30/,
    ],
    ['names that are numbers', {...deberta, pos_att_type: [1]}, /pos_att_type must be a list of names/],
  ];
  for (const [what, value, message] of wrong)
    test(`refused: ${what}`, () => assert.throws(() => parse(value), isInvalid(message)));

  const unsupported: [unknown, RegExp][] = [
    [{...bert, model_type: 'llama'}, /model family "llama" is not supported yet: expected bert, roberta, electra, /],
    [{...bert, model_type: 'constructor'}, /model family "constructor"/],
    [{...bert, hidden_act: 'silu'}, /hidden_act "silu" is not supported yet/],
    [{...bert, position_embedding_type: 'relative_key'}, /position_embedding_type "relative_key"/],
    [{...bert, is_decoder: true}, /is_decoder true/],
    [{...deberta, pos_att_type: 'c2p|p2p'}, /pos_att_type "p2p"/],
    [{...deberta, pos_att_type: []}, /pos_att_type "none"/],
    [{...deberta, norm_rel_ebd: 'batch_norm'}, /norm_rel_ebd "batch_norm"/],
    [{...deberta, attention_head_size: 3}, /attention_head_size 3 is not supported yet: expected 2/],
    [{...deberta, conv_kernel_size: 4}, /conv_kernel_size 4/],
    [{...deberta, conv_kernel_size: 3, conv_groups: 2}, /conv_groups 2/],
  ];
  for (const [value, message] of unsupported)
    test(`not supported: ${message.source}`, () => assert.throws(() => parse(value), isUnsupported(message)));

  test('10,000 damaged configs pass or are refused by name, whatever they hold', () => {
    const originals = [bert, {...bert, model_type: 'roberta'}, {...bert, model_type: 'electra'}, distilbert, deberta];
    const random = randomStream(9, 'data');
    const below = (n: number) => Math.floor(random() * n);
    const strange = [null, -1, 0, 1e308, 0.5, '', 'gelu', [], {}, true, 2 ** 53, Number.NaN, ['c2p'], '__proto__', 3];
    let numPassed = 0;
    for (let round = 0; round < 10_000; round++) {
      const value: Record<string, unknown> = {...originals[round % originals.length]};
      const keys = Object.keys(value);
      for (let n = 1 + below(3); n > 0; n--) value[keys[below(keys.length)]] = strange[below(strange.length)];
      let text = JSON.stringify(value);
      if (round % 4 === 0)
        text = text.slice(0, below(text.length)) + String.fromCharCode(below(65_536)) + text.slice(below(text.length));
      try {
        const config = parse(text);
        assert.equal(config.hiddenSize % config.numAttentionHeads, 0);
        numPassed++;
      } catch (error) {
        if (!(error instanceof FtftError)) throw error;
        assert.match(error.message, /^Cannot use config.json: .{10,400}$/s);
      }
    }
    assert.ok(numPassed > 100, `${numPassed} passed`);
  });
});
