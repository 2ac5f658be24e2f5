// Descriptors of the services that come from libraries, so that reflection can describe health and itself too.
import {
  FileDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from './gen/google/protobuf/descriptor.js';

type FileParts = Parameters<typeof FileDescriptorProto.fromPartial>[0];
type Field = [name: string, number: number, type: Type | string, label?: Label];

const message = (name: string, fields: Field[], rest: object = {}) => ({
  name,
  field: fields.map(([fieldName, number, type, label = Label.LABEL_OPTIONAL]) => ({
    name: fieldName,
    number,
    label,
    ...(typeof type === 'string' ? {type: Type.TYPE_MESSAGE, typeName: type} : {type}),
  })),
  ...rest,
});
const file = (parts: FileParts): Uint8Array =>
  FileDescriptorProto.encode(FileDescriptorProto.fromPartial({syntax: 'proto3', ...parts})).finish();

/** grpc/health/v1/health.proto, Check and Watch. */
export function healthDescriptor(): Uint8Array {
  const states = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'].map((name, number) => ({name, number}));
  const response = message('HealthCheckResponse', [], {enumType: [{name: 'ServingStatus', value: states}]});
  const typeName = '.grpc.health.v1.HealthCheckResponse.ServingStatus';
  const status = {name: 'status', number: 1, label: Label.LABEL_OPTIONAL, type: Type.TYPE_ENUM, typeName};
  const call = {inputType: '.grpc.health.v1.HealthCheckRequest', outputType: '.grpc.health.v1.HealthCheckResponse'};
  return file({
    name: 'grpc/health/v1/health.proto',
    package: 'grpc.health.v1',
    messageType: [message('HealthCheckRequest', [['service', 1, Type.TYPE_STRING]]), {...response, field: [status]}],
    service: [
      {
        name: 'Health',
        method: [
          {name: 'Check', ...call},
          {name: 'Watch', ...call, serverStreaming: true},
        ],
      },
    ],
  });
}

/** grpc/reflection/<version>/reflection.proto. */
export function reflectionDescriptor(version: 'v1' | 'v1alpha'): Uint8Array {
  const packageName = `grpc.reflection.${version}`;
  const own = (name: string) => `.${packageName}.${name}`;
  const inOneof = (made: ReturnType<typeof message>, first: number, name: string) => ({
    ...made,
    field: made.field.map(field => (field.number < first ? field : {...field, oneofIndex: 0})),
    oneofDecl: [{name}],
  });
  const {TYPE_STRING: text, TYPE_BYTES: bytes, TYPE_INT32: int32} = Type;
  const many = Label.LABEL_REPEATED;
  return file({
    name: `grpc/reflection/${version}/reflection.proto`,
    package: packageName,
    messageType: [
      inOneof(
        message('ServerReflectionRequest', [
          ['host', 1, text],
          ['file_by_filename', 3, text],
          ['file_containing_symbol', 4, text],
          ['file_containing_extension', 5, own('ExtensionRequest')],
          ['all_extension_numbers_of_type', 6, text],
          ['list_services', 7, text],
        ]),
        3,
        'message_request',
      ),
      message('ExtensionRequest', [
        ['containing_type', 1, text],
        ['extension_number', 2, int32],
      ]),
      inOneof(
        message('ServerReflectionResponse', [
          ['valid_host', 1, text],
          ['original_request', 2, own('ServerReflectionRequest')],
          ['file_descriptor_response', 4, own('FileDescriptorResponse')],
          ['all_extension_numbers_response', 5, own('ExtensionNumberResponse')],
          ['list_services_response', 6, own('ListServiceResponse')],
          ['error_response', 7, own('ErrorResponse')],
        ]),
        4,
        'message_response',
      ),
      message('FileDescriptorResponse', [['file_descriptor_proto', 1, bytes, many]]),
      message('ExtensionNumberResponse', [
        ['base_type_name', 1, text],
        ['extension_number', 2, int32, many],
      ]),
      message('ListServiceResponse', [['service', 1, own('ServiceResponse'), many]]),
      message('ServiceResponse', [['name', 1, text]]),
      message('ErrorResponse', [
        ['error_code', 1, int32],
        ['error_message', 2, text],
      ]),
    ],
    service: [
      {
        name: 'ServerReflection',
        method: [
          {
            name: 'ServerReflectionInfo',
            inputType: own('ServerReflectionRequest'),
            outputType: own('ServerReflectionResponse'),
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
  });
}
