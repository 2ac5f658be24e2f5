// Descriptors of what comes from libraries: health, reflection itself, and the details that errors carry, so that generic clients
// can call the one and read the other.
import {enumeration, file, message, method} from './descriptor-writer.js';

/** grpc/health/v1/health.proto, Check and Watch. */
export function healthDescriptor(): Uint8Array {
  const own = 'grpc.health.v1';
  const states = enumeration('ServingStatus', ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']);
  const types = [`${own}.HealthCheckRequest`, `${own}.HealthCheckResponse`] as const;
  return file('grpc/health/v1/health.proto', own, {
    messages: [
      message('HealthCheckRequest', ['string service = 1']),
      message('HealthCheckResponse', [`enum ${own}.HealthCheckResponse.ServingStatus status = 1`], {enums: [states]}),
    ],
    service: {name: 'Health', methods: [method('Check', ...types), method('Watch', ...types, {server: true})]},
  });
}

/** grpc/reflection/<version>/reflection.proto. */
export function reflectionDescriptor(version: 'v1' | 'v1alpha'): Uint8Array {
  const own = `grpc.reflection.${version}`;
  const request = [
    'string host = 1',
    'string file_by_filename = 3',
    'string file_containing_symbol = 4',
    `${own}.ExtensionRequest file_containing_extension = 5`,
    'string all_extension_numbers_of_type = 6',
    'string list_services = 7',
  ];
  const response = [
    'string valid_host = 1',
    `${own}.ServerReflectionRequest original_request = 2`,
    `${own}.FileDescriptorResponse file_descriptor_response = 4`,
    `${own}.ExtensionNumberResponse all_extension_numbers_response = 5`,
    `${own}.ListServiceResponse list_services_response = 6`,
    `${own}.ErrorResponse error_response = 7`,
  ];
  const types = [`${own}.ServerReflectionRequest`, `${own}.ServerReflectionResponse`] as const;
  return file(`grpc/reflection/${version}/reflection.proto`, own, {
    messages: [
      message('ServerReflectionRequest', request, {oneofFrom: 3}),
      message('ExtensionRequest', ['string containing_type = 1', 'int32 extension_number = 2']),
      message('ServerReflectionResponse', response, {oneofFrom: 4}),
      message('FileDescriptorResponse', ['repeated bytes file_descriptor_proto = 1']),
      message('ExtensionNumberResponse', ['string base_type_name = 1', 'repeated int32 extension_number = 2']),
      message('ListServiceResponse', [`repeated ${own}.ServiceResponse service = 1`]),
      message('ServiceResponse', ['string name = 1']),
      message('ErrorResponse', ['int32 error_code = 1', 'string error_message = 2']),
    ],
    service: {
      name: 'ServerReflection',
      methods: [method('ServerReflectionInfo', ...types, {client: true, server: true})],
    },
  });
}

/** google/rpc/error_details.proto, as far as this service sends them. */
export function errorDetailsDescriptor(): Uint8Array {
  const own = 'google.rpc';
  const list = (outer: string, name: string, inner: string, fields: string[]) =>
    message(outer, [`repeated ${own}.${outer}.${inner} ${name} = 1`], {nested: [message(inner, fields)]});
  const entry = message('MetadataEntry', ['string key = 1', 'string value = 2'], {isMapEntry: true});
  const metadata = `repeated ${own}.ErrorInfo.MetadataEntry metadata = 3`;
  const subject = ['string subject = 1', 'string description = 2'];
  return file('google/rpc/error_details.proto', own, {
    imports: ['google/protobuf/duration.proto'],
    messages: [
      message('ErrorInfo', ['string reason = 1', 'string domain = 2', metadata], {nested: [entry]}),
      message('RetryInfo', ['google.protobuf.Duration retry_delay = 1']),
      list('QuotaFailure', 'violations', 'Violation', subject),
      list('PreconditionFailure', 'violations', 'Violation', [
        'string type = 1',
        'string subject = 2',
        'string description = 3',
      ]),
      list('BadRequest', 'field_violations', 'FieldViolation', ['string field = 1', 'string description = 2']),
      message('RequestInfo', ['string request_id = 1', 'string serving_data = 2']),
      message('ResourceInfo', [
        'string resource_type = 1',
        'string resource_name = 2',
        'string owner = 3',
        'string description = 4',
      ]),
    ],
  });
}
