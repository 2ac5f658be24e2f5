// A file of torch.save (pytorch_model.bin) → named tensors: a zip archive of one pickle and its storages, or, before torch 1.6, five
// pickles one after another and then the storages. Names and shapes are read at once, values when they are asked for.
import {dtypeBytes, readFloats} from './float-values.js';
import {Dict, Sequence} from './pickle.js';
import {PickleReader} from './pickle-reader.js';
import {type StorageReference, type TensorView, unpicklePlain, unpickleStateDict} from './torch-pickle.js';
import type {NamedTensor} from './types.js';
import {invalidFile, type WeightsFile, withWeightsFile} from './weights-file.js';
import {readZipRecords} from './zip-records.js';

/** Names, shapes and strides of 40,000 tensors; real state dicts have a few hundred kilobytes. */
const maxPickleBytes = 16 << 20;
const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

/** Where a storage lies in the file, and how many numbers it has. */
interface StoredNumbers {
  position: number;
  count: number;
}

interface Contents {
  tensors: Map<string, TensorView>;
  /** Undefined when the file lacks the storage, or has it in another size. */
  locate(storage: StorageReference): StoredNumbers | undefined;
}

/** FAILED_PRECONDITION/MODEL_INVALID for anything but tensors by name, and for tensors that are not whole. */
export function openTorchCheckpoint(path: string): Map<string, NamedTensor> {
  return withWeightsFile(path, file => {
    const {tensors, locate} = readContents(file);
    const opened = [...tensors].map(([name, view]) => {
      const stored = locate(view.storage);
      if (stored === undefined || stored.count !== view.storage.count)
        throw invalidFile(
          path,
          `tensor ${brief(name)} must have a storage of ${view.storage.count} values, which is not there`,
        );
      checkBounds(path, name, view);
      const read = () => withWeightsFile(path, file => readView(file, name, view, stored.position), file.identity);
      return [name, {name, shape: view.shape, read}] as const;
    });
    return new Map(opened);
  });
}

function readContents(file: WeightsFile): Contents {
  const start = file.read(0, Math.min(4, file.size));
  if (start.length === 4 && start.readUInt32LE() === 0x04034b50) return readArchive(file);
  if (start[0] === 0x80) return readSequence(file);
  throw invalidFile(
    file.path,
    `it must be a file of torch.save, it begins with ${JSON.stringify(start.toString('latin1'))}`,
  );
}

/** Any one folder, with data.pkl and data/<key>. */
function readArchive(file: WeightsFile): Contents {
  const records = readZipRecords(file);
  const pickles = [...records.keys()].filter(name => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw invalidFile(file.path, `it must hold one data.pkl in a folder, found ${pickles.length}`);
  const folder = pickles[0].slice(0, -'/data.pkl'.length);
  const order = records.get(`${folder}/byteorder`);
  if (order && file.read(order.position, Math.min(order.size, 8)).toString() !== 'little')
    throw invalidFile(file.path, 'its values must be little-endian');
  const {position, size} = records.get(pickles[0])!;
  const tensors = unpickleStateDict(pickleReader(file, position, position + size));
  const locate = ({key, dtype}: StorageReference) => {
    const record = records.get(`${folder}/data/${key}`);
    return record && {position: record.position, count: Math.floor(record.size / dtypeBytes[dtype])};
  };
  return {tensors, locate};
}

/** Magic number, version, system, state dict, keys of the storages; then for each a count in 8 bytes and its values. */
function readSequence(file: WeightsFile): Contents {
  let position = 0;
  const next = <T>(read: (reader: PickleReader) => T): T => {
    const reader = pickleReader(file, position, file.size);
    const value = read(reader);
    position = reader.position;
    return value;
  };
  if (next(unpicklePlain) !== magicNumber || next(unpicklePlain) !== protocolVersion)
    throw invalidFile(
      file.path,
      'it must begin with the magic number and version of torch.save: it is another kind of pickle',
    );
  const system = next(unpicklePlain);
  if (!(system instanceof Dict) || system.entries.get('little_endian') !== true)
    throw invalidFile(file.path, 'its values must be little-endian');
  const tensors = next(unpickleStateDict);
  const keys = next(unpicklePlain);
  if (!(keys instanceof Sequence)) throw invalidFile(file.path, 'it must list the keys of its storages');
  const dtypes = new Map([...tensors.values()].map(({storage}) => [storage.key, storage.dtype]));
  const storages = new Map<string, StoredNumbers & {dtype: string}>();
  for (const key of keys.items) {
    const dtype = typeof key === 'string' ? dtypes.get(key) : undefined;
    if (typeof key !== 'string' || dtype === undefined || storages.has(key))
      throw invalidFile(file.path, 'it must list each storage of its tensors once, and no other');
    const count = Number(file.read(position, 8).readBigInt64LE());
    position += 8;
    file.checkRange(position, count * dtypeBytes[dtype]);
    storages.set(key, {position, count, dtype});
    position += count * dtypeBytes[dtype];
  }
  const locate = ({key, dtype}: StorageReference) => {
    const stored = storages.get(key);
    return stored?.dtype === dtype ? stored : undefined;
  };
  return {tensors, locate};
}

function pickleReader(file: WeightsFile, position: number, end: number): PickleReader {
  return new PickleReader(file, position, Math.min(end, position + maxPickleBytes));
}

/** Strides may go back and forth in the storage but not out of it, and may not make more values than it has. */
function checkBounds(path: string, name: string, {storage, offset, shape, strides}: TensorView): void {
  const count = numValues(shape);
  if (count > 0 && offset + span(shape, strides) > storage.count)
    throw invalidFile(
      path,
      `tensor ${brief(name)} must lie in its storage of ${storage.count} values, found offset ${offset}, shape [${shape}] and strides [${strides}]`,
    );
  if (count > storage.count)
    throw invalidFile(
      path,
      `tensor ${brief(name)} must have no more values than its storage of ${storage.count}, its shape is [${shape}]`,
    );
}

function readView(file: WeightsFile, name: string, view: TensorView, position: number): Float32Array {
  const {storage, offset, shape, strides} = view;
  const count = numValues(shape);
  const start = position + offset * dtypeBytes[storage.dtype];
  if (count === 0) return new Float32Array(0);
  const values = readFloats(file, name, storage.dtype, start, span(shape, strides));
  return isRowMajor(shape, strides) ? values : gather(values, shape, strides);
}

/** Values in the order of the shape, from where the strides have them. */
function gather(values: Float32Array, shape: number[], strides: number[]): Float32Array {
  const gathered = new Float32Array(numValues(shape));
  const last = shape.length - 1;
  const index = shape.map(() => 0);
  for (let done = 0, from = 0; done < gathered.length; ) {
    for (let i = 0; i < shape[last]; i++) gathered[done++] = values[from + i * strides[last]];
    // The next row: counts up like an odometer.
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return gathered;
}

function isRowMajor(shape: number[], strides: number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/** Numbers from the first to the last, of a shape that is not empty. */
function span(shape: number[], strides: number[]): number {
  return 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
}

function numValues(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function brief(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
