// Messages of grpc.reflection.v1 and v1alpha, which are alike, as bytes: only what this server answers.
import {BinaryReader, BinaryWriter} from '@bufbuild/protobuf/wire';

export interface ReflectionRequest {
  /** The request as it came; a response repeats it. */
  bytes: Uint8Array;
  host: string;
  ask:
    | {kind: 'file-by-name' | 'file-by-symbol' | 'list-services' | 'extensions-of-type'; value: string}
    | {kind: 'file-by-extension'; value: string}
    | undefined;
}

export type ReflectionAnswer =
  | {kind: 'files'; files: Uint8Array[]}
  | {kind: 'services'; names: string[]}
  | {kind: 'extensions'; type: string; numbers: number[]}
  | {kind: 'error'; code: number; message: string};

const asks = {
  3: 'file-by-name',
  4: 'file-by-symbol',
  6: 'extensions-of-type',
  7: 'list-services',
} as const;

export function decodeReflectionRequest(bytes: Uint8Array): ReflectionRequest {
  const request: ReflectionRequest = {bytes: Uint8Array.from(bytes), host: '', ask: undefined};
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) request.host = reader.string();
    else if (field in asks) request.ask = {kind: asks[field as keyof typeof asks], value: reader.string()};
    else {
      if (field === 5) request.ask = {kind: 'file-by-extension', value: ''};
      reader.skip(wireType, field);
    }
  }
  return request;
}

export function encodeReflectionResponse(request: ReflectionRequest, answer: ReflectionAnswer): Uint8Array {
  const writer = new BinaryWriter();
  if (request.host !== '') writer.uint32(tag(1)).string(request.host);
  writer.uint32(tag(2)).bytes(request.bytes);
  switch (answer.kind) {
    case 'files':
      writer.uint32(tag(4)).fork();
      for (const file of answer.files) writer.uint32(tag(1)).bytes(file);
      break;
    case 'extensions':
      writer.uint32(tag(5)).fork().uint32(tag(1)).string(answer.type);
      writer.uint32(tag(2)).fork();
      for (const number of answer.numbers) writer.int32(number);
      writer.join();
      break;
    case 'services':
      writer.uint32(tag(6)).fork();
      for (const name of answer.names) writer.uint32(tag(1)).fork().uint32(tag(1)).string(name).join();
      break;
    case 'error':
      writer
        .uint32(tag(7))
        .fork()
        .uint32(1 << 3)
        .int32(answer.code)
        .uint32(tag(2))
        .string(answer.message);
      break;
  }
  return writer.join().finish();
}

/** Tag of a length-delimited field. */
const tag = (field: number): number => ((field << 3) | 2) >>> 0;
