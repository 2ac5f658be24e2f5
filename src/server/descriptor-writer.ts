// Lines of a .proto, such as 'repeated string name = 1', → encoded descriptors. For the few files that come with libraries as code
// only; the generated encoder drops fields that are 0, and descriptors need them (the first value of an enum, the first oneof).
import {BinaryWriter} from '@bufbuild/protobuf/wire';

type Value = string | number | boolean | Uint8Array | Value[];

/** A protobuf message by field numbers; arrays are repeated fields, undefined ones are left out. */
function encode(fields: Record<number, Value | undefined>): Uint8Array {
  const writer = new BinaryWriter();
  const write = (field: number, value: Value): void => {
    if (Array.isArray(value)) for (const element of value) write(field, element);
    else if (typeof value === 'string') writer.uint32((field << 3) | 2).string(value);
    else if (value instanceof Uint8Array) writer.uint32((field << 3) | 2).bytes(value);
    else writer.uint32(field << 3).int32(Number(value));
  };
  for (const [field, value] of Object.entries(fields)) if (value !== undefined) write(Number(field), value);
  return writer.finish();
}

/** FieldDescriptorProto.Type by name; anything else is the full name of a message. */
const scalarTypes: Record<string, number> = {bool: 8, string: 9, bytes: 12, int32: 5, int64: 3};
const messageType = 11;
const enumType = 14;

/** oneofFrom: fields with this number or a higher one are the choices of the message's one oneof. */
interface MessageOptions {
  oneofFrom?: number;
  nested?: Uint8Array[];
  enums?: Uint8Array[];
  isMapEntry?: boolean;
}

/** DescriptorProto. */
export function message(name: string, fields: string[], options: MessageOptions = {}): Uint8Array {
  const {oneofFrom, nested = [], enums = [], isMapEntry} = options;
  return encode({
    1: name,
    2: fields.map(line => field(line, oneofFrom)),
    3: nested,
    4: enums,
    7: isMapEntry ? encode({7: true}) : undefined,
    8: oneofFrom === undefined ? [] : [encode({1: 'choice'})],
  });
}

function field(line: string, oneofFrom: number | undefined): Uint8Array {
  const match = /^(repeated )?(enum )?(\S+) (\w+) = (\d+)$/.exec(line);
  if (!match) throw new Error(`No line of a .proto: ${line}`);
  const [, repeated, isEnum, type, name, number] = match;
  const scalar = scalarTypes[type];
  return encode({
    1: name,
    3: Number(number),
    4: repeated ? 3 : 1,
    5: isEnum ? enumType : (scalar ?? messageType),
    6: scalar === undefined ? `.${type}` : undefined,
    9: oneofFrom !== undefined && Number(number) >= oneofFrom ? 0 : undefined,
  });
}

/** EnumDescriptorProto; values count from 0. */
export const enumeration = (name: string, values: string[]): Uint8Array =>
  encode({1: name, 2: values.map((value, number) => encode({1: value, 2: number}))});

/** MethodDescriptorProto; types are full names. */
export const method = (
  name: string,
  input: string,
  output: string,
  streams: {client?: boolean; server?: boolean} = {},
): Uint8Array =>
  encode({1: name, 2: `.${input}`, 3: `.${output}`, 5: streams.client || undefined, 6: streams.server || undefined});

/** FileDescriptorProto of a proto3 file. */
export const file = (
  name: string,
  packageName: string,
  parts: {imports?: string[]; messages: Uint8Array[]; service?: {name: string; methods: Uint8Array[]}},
): Uint8Array =>
  encode({
    1: name,
    2: packageName,
    3: parts.imports ?? [],
    4: parts.messages,
    6: parts.service ? [encode({1: parts.service.name, 2: parts.service.methods})] : [],
    12: 'proto3',
  });
