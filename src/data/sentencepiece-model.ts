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
  const found = {piece: '', score: 0, type: 1};
  const pieceFields: Fields = {
    1: {text: value => (found.piece = value)},
    2: {float: value => (found.score = value)},
    3: {int32: value => (found.type = value)},
  };
  const reader = new FieldReader(file, bytes);
  reader.read({
    1: {
      message: () => {
        Object.assign(found, {piece: '', score: 0, type: 1});
        reader.read(pieceFields);
        if (!Number.isFinite(found.score)) throw invalid(file, `scores must be finite numbers, found ${found.score}`);
        if (found.type === control || found.type === userDefined) symbolIds.push(pieces.length);
        pieces.push(found.piece);
        scores.push(found.score);
      },
    },
    2: {
      message: () => reader.read({3: {int32: value => (modelType = value)}, 40: {int32: value => (unknownId = value)}}),
    },
    3: {message: () => reader.read({2: {bytes: value => (charsmap = value)}})},
  });
  if (modelType !== unigram) throw unsupported(file, `model_type ${modelType}`, `${unigram}, unigram`);
  if (pieces.length === 0 || pieces.length >= maxVocabulary)
    throw invalid(file, `it must have pieces, fewer than ${maxVocabulary}, found ${pieces.length}`);
  if (unknownId < 0 || unknownId >= pieces.length)
    throw invalid(file, `unk_id must be one of its ${pieces.length} pieces, found ${unknownId}`);
  return {pieces, scores, symbolIds, unknownId, charsmap};
}

interface Field {
  /** Reads the fields of the message. */
  message?(): void;
  bytes?(value: Uint8Array): void;
  text?(value: string): void;
  int32?(value: number): void;
  float?(value: number): void;
}
type Fields = Record<number, Field>;

/** Fields that are not asked for are skipped, and those of another wire type; of what stands once, the last holds: as protobuf has it. */
class FieldReader {
  private readonly reader: BinaryReader;
  /** Where the message ends that is being read. */
  private end: number;

  constructor(
    private readonly file: string,
    bytes: Uint8Array,
  ) {
    this.reader = new BinaryReader(bytes);
    this.end = bytes.length;
  }

  read(fields: Fields): void {
    while (this.reader.pos < this.end) {
      const message = this.readField(fields);
      if (!message) continue;
      const {end} = this;
      this.end = message.end;
      message.read();
      this.end = end;
    }
  }

  /** Reads one field; of a message only where it ends. */
  private readField(fields: Fields): {read: () => void; end: number} | undefined {
    const {reader} = this;
    try {
      const [number, wireType] = reader.tag();
      const field: Field = fields[number] ?? {};
      if (wireType === WireType.LengthDelimited && field.message) {
        const length = reader.uint32();
        if (length <= this.end - reader.pos) return {read: field.message, end: reader.pos + length};
        throw new RangeError('a message ends too early');
      }
      if (wireType === WireType.LengthDelimited && field.bytes) field.bytes(reader.bytes());
      else if (wireType === WireType.LengthDelimited && field.text) field.text(reader.string(true));
      else if (wireType === WireType.Varint && field.int32) field.int32(reader.int32());
      else if (wireType === WireType.Bit32 && field.float) field.float(reader.float());
      else reader.skip(wireType, number);
      if (reader.pos <= this.end) return undefined;
      throw new RangeError('a message ends too early');
    } catch (error) {
      throw invalid(this.file, `it must be a SentencePiece model: ${error instanceof Error ? error.message : error}`);
    }
  }
}
