// Bytes of an spm.model (a protobuf, sentencepiece_model.proto) → its pieces with scores, and its table of normalisation.
import {BinaryReader, WireType} from '@bufbuild/protobuf/wire';
import {invalid, maxVocabulary, unsupported} from './json-fields.js';

export interface SentencePieceModel {
  /** Id of a piece: its position. */
  pieces: string[];
  /** Log probabilities. */
  scores: number[];
  /** Positions of control symbols and of those that the trainer was given: literals in texts that are one token each. */
  symbolIds: number[];
  unknownId: number;
  /** precompiled_charsmap; empty where texts stay as they are. */
  charsmap: Uint8Array;
}

/** ModelProto.SentencePiece.Type and TrainerSpec.ModelType. */
const control = 3;
const userDefined = 4;
const unigram = 1;

/** MODEL_INVALID for bytes that are no such model, NOT_SUPPORTED for models that are not unigram. */
export function readSentencePieceModel(file: string, bytes: Uint8Array): SentencePieceModel {
  const pieces: string[] = [];
  const scores: number[] = [];
  const symbolIds: number[] = [];
  let unknownId = 0;
  let charsmap: Uint8Array = new Uint8Array();
  let modelType = unigram;
  const readPiece = (content: Uint8Array) => {
    let [piece, score, type] = ['', 0, 1];
    eachField(file, content, {
      1: {text: value => (piece = value)},
      2: {float: value => (score = value)},
      3: {int32: value => (type = value)},
    });
    if (!Number.isFinite(score)) throw invalid(file, `scores must be finite numbers, found ${score}`);
    if (type === control || type === userDefined) symbolIds.push(pieces.length);
    pieces.push(piece);
    scores.push(score);
  };
  eachField(file, bytes, {
    1: {bytes: readPiece},
    2: {
      bytes: trainer =>
        eachField(file, trainer, {3: {int32: value => (modelType = value)}, 40: {int32: value => (unknownId = value)}}),
    },
    3: {bytes: normalizer => eachField(file, normalizer, {2: {bytes: value => (charsmap = value)}})},
  });
  if (modelType !== unigram) throw unsupported(file, `model_type ${modelType}`, `${unigram}, unigram`);
  if (pieces.length === 0 || pieces.length >= maxVocabulary)
    throw invalid(file, `it must have pieces, fewer than ${maxVocabulary}, found ${pieces.length}`);
  if (unknownId < 0 || unknownId >= pieces.length)
    throw invalid(file, `unk_id must be one of its ${pieces.length} pieces, found ${unknownId}`);
  return {pieces, scores, symbolIds, unknownId, charsmap};
}

interface Field {
  bytes?(value: Uint8Array): void;
  text?(value: string): void;
  int32?(value: number): void;
  float?(value: number): void;
}

/** Fields that are not asked for are skipped, and those of another wire type; of what stands once, the last holds: as protobuf has it. */
function eachField(file: string, bytes: Uint8Array, fields: Record<number, Field>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const use = readField(file, reader, fields);
    use?.();
  }
}

/** Reads one field, and returns what is to be done with it. */
function readField(file: string, reader: BinaryReader, fields: Record<number, Field>): (() => void) | undefined {
  const read =
    <T>(value: T, use: (value: T) => void) =>
    () =>
      use(value);
  try {
    const [number, wireType] = reader.tag();
    const {bytes, text, int32, float}: Field = fields[number] ?? {};
    if (bytes && wireType === WireType.LengthDelimited) return read(reader.bytes(), bytes);
    if (text && wireType === WireType.LengthDelimited) return read(reader.string(true), text);
    if (int32 && wireType === WireType.Varint) return read(reader.int32(), int32);
    if (float && wireType === WireType.Bit32) return read(reader.float(), float);
    reader.skip(wireType, number);
    return undefined;
  } catch (error) {
    throw invalid(file, `it must be a SentencePiece model: ${error instanceof Error ? error.message : error}`);
  }
}
