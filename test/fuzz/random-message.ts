// Any message type of the contract, by its descriptor → messages with any of its fields set, so that no field is left out by hand.
import {readFileSync} from 'node:fs';
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import {type ReflectMessage, reflect} from '@bufbuild/protobuf/reflect';
import {FileDescriptorSetSchema} from '@bufbuild/protobuf/wkt';
import {below, oneOf, type Random, randomBytes, strangeNumbers, strangeTexts} from './mutate.js';

const image = readFileSync(new URL('../../src/server/gen/ftft.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const service = registry.getService('ftft.v1.FtftService')!;
const maxDepth = 4;
/** Of one message with all that is in it: lists of lists of messages would have no end. */
const maxValues = 3000;
const knownTexts = [
  ...[
    'runs/ref',
    'runs/other',
    'runs/none',
    'dataMaps/map',
    'dataMaps/none',
    'datasets/pets',
    'datasets/made',
    'models/tiny',
  ],
  ...['new', 'other', 'map', 'train', 'ood', 'local:tiny', 'text', 'label', 'uid', 'cat', 'dog', 'u1', 'nlp', 'p_true'],
  ...['8c1c7d1e-6f6c-4a53-9f3e-0a4a1f5f9b01', 'state = STATE_RUNNING', '1'],
];

/** What goes may go: the other RPCs need the rest. */
const doomedTexts = Array.from({length: 20}, (_, i) => `runs/doomed-${i}`);

/** rpc: of FtftService, as getRun. Most texts are such as a valid request may hold. */
export function randomMessage(rpc: string, random: Random): Buffer {
  const type = service.method[rpc].input;
  const texts = rpc === 'deleteRun' ? doomedTexts : knownTexts;
  let numValues = 0;
  return Buffer.from(toBinary(type, message(type, 0)));

  function message(type: DescMessage, depth: number): Message {
    const made = create(type);
    const fields = reflect(type, made);
    const share = oneOf([0.1, 0.5, 0.9], random);
    // Of a oneof the last that is set stays.
    for (const field of type.fields) if (random() < share) set(fields, field, depth);
    return made;
  }

  function set(fields: ReflectMessage, field: DescField, depth: number): void {
    const count = random() < 0.02 ? 500 : below(4, random);
    numValues += field.fieldKind === 'list' || field.fieldKind === 'map' ? count : 1;
    if (numValues > maxValues) return;
    if (field.fieldKind === 'list') {
      const list = fields.get(field);
      for (let i = 0; i < count; i++) {
        if (field.listKind === 'message') {
          if (depth < maxDepth) list.add(reflect(field.message, message(field.message, depth + 1)));
        } else list.add(field.listKind === 'enum' ? enumValue(field) : scalar(field.scalar));
      }
    } else if (field.fieldKind === 'map') {
      const map = fields.get(field);
      for (let i = 0; i < count; i++) if (field.mapKind === 'scalar') map.set(text(), scalar(field.scalar));
    } else if (field.fieldKind === 'message') {
      if (depth < maxDepth) fields.set(field, reflect(field.message, message(field.message, depth + 1)));
    } else fields.set(field, field.fieldKind === 'enum' ? enumValue(field) : scalar(field.scalar));
  }

  function enumValue({enum: type}: DescField & {enum: {values: {number: number}[]}}): number {
    return random() < 0.9 ? oneOf(type.values, random).number : oneOf([-1, 77, 2 ** 31 - 1], random);
  }

  function scalar(type: ScalarType): string | number | bigint | boolean | Uint8Array {
    if (type === ScalarType.STRING) return text();
    if (type === ScalarType.BYTES) return randomBytes(below(200, random), random);
    if (type === ScalarType.BOOL) return random() < 0.5;
    const number = random() < 0.7 ? below(10, random) : oneOf(strangeNumbers, random);
    if (type === ScalarType.DOUBLE || type === ScalarType.FLOAT) return random() < 0.5 ? random() : Math.fround(number);
    const whole = Math.trunc(number);
    if (type === ScalarType.INT64 && random() < 0.1) return 2n ** 63n - 1n;
    if (type === ScalarType.INT64 || type === ScalarType.SINT64 || type === ScalarType.SFIXED64) return BigInt(whole);
    if (type === ScalarType.UINT64 || type === ScalarType.FIXED64) return BigInt(Math.abs(whole));
    if (type === ScalarType.UINT32 || type === ScalarType.FIXED32) return Math.abs(whole);
    return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, whole));
  }

  function text(): string {
    return random() < 0.7 ? oneOf(texts, random) : oneOf(strangeTexts, random);
  }
}
