// buf's descriptor image → files by name and by symbol, each with its original bytes, options included.
import {existsSync, readFileSync} from 'node:fs';
import {BinaryReader} from '@bufbuild/protobuf/wire';
import {type DescriptorProto, FileDescriptorProto} from './gen/google/protobuf/descriptor.js';

export interface DescriptorIndex {
  /** Full names of all services, sorted. */
  services: string[];
  /** The file and what it imports, directly or not, importers last; undefined when unknown. */
  fileByName(name: string): Uint8Array[] | undefined;
  /** The same of the file that declares a message, field, enum, value, service or method. */
  fileBySymbol(symbol: string): Uint8Array[] | undefined;
}

interface IndexedFile {
  bytes: Uint8Array;
  imports: string[];
}

/** The image lies beside the generated code; compiled code finds it in the sources too. */
export function readImage(): Uint8Array {
  const places = ['./gen/ftft.binpb', '../../src/server/gen/ftft.binpb'].map(place => new URL(place, import.meta.url));
  const found = places.find(place => existsSync(place));
  if (!found) throw new Error('The descriptor image src/server/gen/ftft.binpb is missing: run npm run generate');
  return readFileSync(found);
}

/** Encoded files of an encoded FileDescriptorSet (field 1), untouched. */
export function filesOf(image: Uint8Array): Uint8Array[] {
  const files: Uint8Array[] = [];
  const reader = new BinaryReader(image);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) files.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return files;
}

export function indexDescriptors(encodedFiles: Uint8Array[]): DescriptorIndex {
  const files = new Map<string, IndexedFile>();
  const fileOfSymbol = new Map<string, string>();
  const services: string[] = [];
  for (const bytes of encodedFiles) {
    const file = FileDescriptorProto.decode(bytes);
    const {name = ''} = file;
    files.set(name, {bytes, imports: file.dependency});
    for (const symbol of symbolsOf(file)) fileOfSymbol.set(symbol, name);
    services.push(...file.service.map(service => `${file.package}.${service.name}`));
  }

  function closure(name: string, seen = new Set<string>()): Uint8Array[] {
    const file = files.get(name);
    if (!file || seen.has(name)) return [];
    seen.add(name);
    return [...file.imports.flatMap(imported => closure(imported, seen)), file.bytes];
  }
  const fileByName = (name: string) => (files.has(name) ? closure(name) : undefined);
  return {
    services: services.sort(),
    fileByName,
    fileBySymbol: symbol => {
      const name = fileOfSymbol.get(symbol);
      return name === undefined ? undefined : fileByName(name);
    },
  };
}

function* symbolsOf(file: FileDescriptorProto): Generator<string> {
  const prefix = file.package === '' ? '' : `${file.package}.`;
  for (const message of file.messageType) yield* messageSymbols(message, prefix);
  for (const {name, value} of file.enumType) {
    yield prefix + name;
    for (const {name: valueName} of value) yield prefix + valueName;
  }
  for (const {name} of file.extension) yield prefix + name;
  for (const {name, method} of file.service) {
    yield prefix + name;
    for (const {name: methodName} of method) yield `${prefix}${name}.${methodName}`;
  }
}

function* messageSymbols(message: DescriptorProto, prefix: string): Generator<string> {
  const own = prefix + message.name;
  yield own;
  for (const {name} of [...message.field, ...message.oneofDecl, ...message.extension]) yield `${own}.${name}`;
  for (const nested of message.nestedType) yield* messageSymbols(nested, `${own}.`);
  for (const {name, value} of message.enumType) {
    yield `${own}.${name}`;
    for (const {name: valueName} of value) yield `${own}.${valueName}`;
  }
}
