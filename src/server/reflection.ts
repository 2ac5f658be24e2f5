// gRPC server reflection, v1 and v1alpha, over the descriptor image.
import {Status} from 'nice-grpc';
import {type DescriptorIndex, filesOf, indexDescriptors, readImage} from './descriptor-index.js';
import {errorDetailsDescriptor, healthDescriptor, reflectionDescriptor} from './own-descriptors.js';
import {
  decodeReflectionRequest,
  encodeReflectionResponse,
  type ReflectionAnswer,
  type ReflectionRequest,
} from './reflection-messages.js';

/** Files of the contract and of the services beside it. */
export function serverDescriptors(): DescriptorIndex {
  const own = [
    errorDetailsDescriptor(),
    healthDescriptor(),
    reflectionDescriptor('v1'),
    reflectionDescriptor('v1alpha'),
  ];
  return indexDescriptors([...filesOf(readImage()), ...own]);
}

/** Definition for nice-grpc; responses travel as the bytes they are. */
export function reflectionDefinition(version: 'v1' | 'v1alpha') {
  return {
    serverReflectionInfo: {
      path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (request: ReflectionRequest) => Buffer.from(request.bytes),
      requestDeserialize: (bytes: Buffer) => decodeReflectionRequest(bytes),
      responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
      responseDeserialize: (bytes: Buffer): Uint8Array => bytes,
    },
  } as const;
}

export function reflectionHandlers(index: DescriptorIndex) {
  return {
    async *serverReflectionInfo(requests: AsyncIterable<ReflectionRequest>): AsyncGenerator<Uint8Array> {
      for await (const request of requests) yield encodeReflectionResponse(request, answer(index, request.ask));
    },
  };
}

function answer(index: DescriptorIndex, ask: ReflectionRequest['ask']): ReflectionAnswer {
  switch (ask?.kind) {
    case 'list-services':
      return {kind: 'services', names: index.services};
    case 'file-by-name':
      return filesOr(index.fileByName(ask.value), `file ${ask.value}`);
    case 'file-by-symbol':
      return filesOr(index.fileBySymbol(ask.value), `symbol ${ask.value}`);
    case 'extensions-of-type':
      return index.fileBySymbol(ask.value)
        ? {kind: 'extensions', type: ask.value, numbers: []}
        : {kind: 'error', code: Status.NOT_FOUND, message: `type ${ask.value} is not known`};
    case 'file-by-extension':
      return {kind: 'error', code: Status.NOT_FOUND, message: 'the contract has no extensions'};
    case undefined:
      return {kind: 'error', code: Status.INVALID_ARGUMENT, message: 'message_request must be set'};
  }
}

const filesOr = (files: Uint8Array[] | undefined, what: string): ReflectionAnswer =>
  files ? {kind: 'files', files} : {kind: 'error', code: Status.NOT_FOUND, message: `${what} is not known`};
