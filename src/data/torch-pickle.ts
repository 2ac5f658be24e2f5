// The pickle of torch.save → the tensors of a state dict: shape, strides, and which part of which storage each one shows.
import {Dict, Global, type PickleMeaning, type PickleValue, Sequence, unpickle} from './pickle.js';
import type {PickleReader} from './pickle-reader.js';

/** Numbers outside the pickle. */
export class StorageReference {
  constructor(
    readonly key: string,
    /** As safetensors names it. */
    readonly dtype: string,
    readonly count: number,
  ) {}
}

/** A view of a storage, in numbers rather than bytes. Nothing is checked against the storage yet. */
export class TensorView {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {}
}

type Value = PickleValue<StorageReference | TensorView>;

const maxRank = 16;
const orderedDict = 'collections.OrderedDict';
const rebuildParameter = 'torch._utils._rebuild_parameter';
/** The older one lacks the last two arguments. */
const rebuildTensor = ['torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2'];
const storageTypes: Record<string, string> = {
  ...{
    'torch.FloatStorage': 'F32',
    'torch.DoubleStorage': 'F64',
    'torch.HalfStorage': 'F16',
    'torch.BFloat16Storage': 'BF16',
  },
  ...{'torch.LongStorage': 'I64', 'torch.IntStorage': 'I32', 'torch.ShortStorage': 'I16', 'torch.CharStorage': 'I8'},
  ...{'torch.ByteStorage': 'U8', 'torch.BoolStorage': 'BOOL'},
};
const known = new Set([orderedDict, rebuildParameter, ...rebuildTensor, ...Object.keys(storageTypes)]);

const meaning: PickleMeaning<StorageReference | TensorView> = {
  isKnown: name => known.has(name),
  reduce(name, args) {
    if (name === orderedDict) return args.length === 0 ? new Dict('OrderedDict') : undefined;
    if (name === rebuildParameter) return args[0] instanceof TensorView ? args[0] : undefined;
    return rebuildTensor.includes(name) ? tensorView(args) : undefined;
  },
  persistent: id => (id instanceof Sequence && id.kind === 'tuple' ? storageReference(id.items) : undefined),
};

/** Values other than tensors are refused by their key. */
export function unpickleStateDict(reader: PickleReader): Map<string, TensorView> {
  const value = unpickle(reader, meaning);
  if (!(value instanceof Dict)) throw reader.invalid('it must be a dict of tensors');
  for (const [key, tensor] of value.entries)
    if (!(tensor instanceof TensorView))
      throw reader.invalid(`${JSON.stringify(key.slice(0, 200))} must be a tensor: only a plain state dict is read`);
  return value.entries as Map<string, TensorView>;
}

/** For the small pickles around the state dict in files before torch 1.6, which hold no tensors. */
export function unpicklePlain(reader: PickleReader): Value {
  return unpickle(reader, {...meaning, isKnown: () => false, persistent: () => undefined});
}

function tensorView([storage, offset, shape, strides]: Value[]): TensorView | undefined {
  if (!(storage instanceof StorageReference) || !isCount(offset)) return undefined;
  const sizes = counts(shape);
  const steps = counts(strides);
  if (sizes === undefined || steps === undefined || sizes.length !== steps.length) return undefined;
  return new TensorView(storage, offset, sizes, steps);
}

/** ('storage', type, key, device, number of values), and in files before torch 1.6 a part of it, which has always been None. */
function storageReference([kind, type, key, device, count, part = null]: Value[]): StorageReference | undefined {
  const dtype = type instanceof Global ? storageTypes[type.name] : undefined;
  const isRight = kind === 'storage' && typeof key === 'string' && typeof device === 'string' && part === null;
  return dtype !== undefined && isRight && isCount(count) ? new StorageReference(key, dtype, count) : undefined;
}

function counts(value: Value): number[] | undefined {
  if (!(value instanceof Sequence) || value.kind !== 'tuple' || value.items.length > maxRank) return undefined;
  return value.items.every(isCount) ? (value.items as number[]) : undefined;
}

function isCount(value: Value): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
