// The smallest files of each family of tokenizers, for tests: tokenizer.json, and the bytes of an spm.model with its table.
import {BinaryWriter, WireType} from '@bufbuild/protobuf/wire';
import {vocabulary} from './model-folder.js';

const bertTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

export const wordPieceJson = {
  truncation: {max_length: 3, strategy: 'LongestFirst', stride: 0},
  padding: {strategy: {Fixed: 128}},
  added_tokens: bertTokens.map((content, id) => ({id, content, special: true})),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: {type: 'BertPreTokenizer'},
  post_processor: template('[CLS]', 2, '[SEP]', 3),
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
};

const robertaTokens = ['<s>', '<pad>', '</s>', '<unk>'];
const letters = ['Ġ', 'a', 'b', 'c', '!', 'Ã', '©'];
export const merges = ['a b', 'Ġ ab', 'b c', 'ab c', 'Ã ©'];
export const byteLevelVocabulary: Record<string, number> = Object.fromEntries(
  [...robertaTokens, ...letters, ...merges.map(pair => pair.replace(' ', '')), '<mask>'].map((token, id) => [
    token,
    id,
  ]),
);

export const byteLevelJson = {
  added_tokens: [...robertaTokens, '<mask>'].map(content => ({
    id: byteLevelVocabulary[content],
    content,
    lstrip: content === '<mask>',
    normalized: content !== '<mask>',
  })),
  normalizer: null,
  pre_tokenizer: {type: 'ByteLevel', add_prefix_space: false, trim_offsets: true},
  post_processor: {type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0], trim_offsets: true},
  model: {dropout: null, unk_token: null, fuse_unk: false, vocab: byteLevelVocabulary, merges},
};

/** Piece and score; the first four are [PAD], [CLS], [SEP] and [UNK] as DeBERTa-v3 has them. */
export const pieces: [string, number][] = [
  ['[PAD]', 0],
  ['[CLS]', 0],
  ['[SEP]', 0],
  ['[UNK]', 0],
  ['<0x41>', 0],
  ['▁', -2],
  ['a', -3],
  ['b', -3],
  ['ab', -4],
  ['▁ab', -7],
  ['▁a', -5],
  ['fi', -4],
  ['▁fi', -4],
  ['é', -3],
];

export const unigramJson = {
  added_tokens: ['[PAD]', '[CLS]', '[SEP]', '[UNK]', '[MASK]'].map((content, i) => ({
    id: i < 4 ? i : pieces.length,
    content,
    normalized: content === '[UNK]',
  })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      {type: 'Strip', strip_left: true, strip_right: true},
      {type: 'Precompiled', precompiled_charsmap: charsmap().toString('base64')},
      {type: 'Replace', pattern: {Regex: ' {2,}'}, content: ' '},
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [{type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true}],
  },
  post_processor: template('[CLS]', 1, '[SEP]', 2),
  model: {type: 'Unigram', unk_id: 3, vocab: pieces, byte_fallback: false},
};

function template(classify: string, classifyId: number, separate: string, separateId: number) {
  const token = (id: string, type_id: number) => ({SpecialToken: {id, type_id}});
  const text = (id: string, type_id: number) => ({Sequence: {id, type_id}});
  const single = [token(classify, 0), text('A', 0), token(separate, 0)];
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, text('B', 1), token(separate, 1)],
    special_tokens: {
      [classify]: {id: classify, ids: [classifyId], tokens: [classify]},
      [separate]: {id: separate, ids: [separateId], tokens: [separate]},
    },
  };
}

/** Replacements as SentencePiece compiles them: a double array, here with a block of 256 units for each node. */
export function charsmap(
  entries: Record<string, string> = {ﬁ: 'fi', 'e\u0301': 'é', '\u3000': ' ', '\t': ' ', '\u200b': ''},
): Buffer {
  interface Node {
    block: number;
    value: number;
    children: Map<number, Node>;
  }
  const nodes: Node[] = [];
  const node = (): Node => {
    nodes.push({block: nodes.length + 1, value: -1, children: new Map()});
    return nodes.at(-1)!;
  };
  const root = node();
  let values = Buffer.alloc(0);
  for (const [key, value] of Object.entries(entries)) {
    let at = root;
    for (const byte of Buffer.from(key)) {
      if (!at.children.has(byte)) at.children.set(byte, node());
      at = at.children.get(byte)!;
    }
    at.value = values.length;
    values = Buffer.concat([values, Buffer.from(`${value}\0`)]);
  }
  const units = new Uint32Array((nodes.length + 1) * 256);
  const place = (position: number, label: number, {block, value, children}: Node) => {
    const base = block * 256;
    units[position] = ((position ^ base) << 10) | (value >= 0 ? 0x100 : 0) | label;
    if (value >= 0) units[base] = (value | 0x80000000) >>> 0;
    for (const [byte, child] of children) place(base ^ byte, byte, child);
  };
  place(0, 0, root);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(units.byteLength);
  return Buffer.concat([size, Buffer.from(units.buffer), values]);
}

export interface SpmOptions {
  pieces?: [string, number][];
  charsmap?: Uint8Array;
  unknownId?: number;
  modelType?: number;
}

/** A ModelProto: types are those of the trainer, and a field that readers do not know stands before the pieces. */
export function spmModel(options: SpmOptions = {}): Uint8Array {
  const types: Record<string, number> = {'[UNK]': 2, '[PAD]': 3, '[CLS]': 3, '[SEP]': 3, '<0x41>': 6};
  const writer = new BinaryWriter().tag(200, WireType.LengthDelimited).string('unknown');
  for (const [piece, score] of options.pieces ?? pieces) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(piece).tag(2, WireType.Bit32).float(score);
    if (types[piece]) writer.tag(3, WireType.Varint).int32(types[piece]);
    writer.join();
  }
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(3, WireType.Varint).int32(options.modelType ?? 1);
  writer.tag(40, WireType.Varint).int32(options.unknownId ?? 3);
  writer.join();
  writer.tag(3, WireType.LengthDelimited).fork();
  writer.tag(2, WireType.LengthDelimited).bytes(options.charsmap ?? charsmap());
  return writer.join().finish();
}
