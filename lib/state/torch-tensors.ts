/** Tensors of a PyTorch archive: views of storages, each an entry of its own. */

import type { ByteSource } from "./byte-file.js";
import type { Tensor } from "./checkpoint.js";
import { dtypeOf, elementCount, isCount } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import { PersistentId, PickleCall, PickleGlobal } from "./pickle-values.js";
import { StridedReader } from "./strided-reader.js";
import type { ZipEntry } from "./zip-reader.js";

/** PyTorch's storage classes and the types of their elements. */
export const storageTypes: Readonly<Record<string, string>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** PyTorch's limit. */
const mostDimensions = 64;
/** Of a storage: PyTorch counts them. */
const longestKey = 20;

export const rebuildTensor = "torch._utils._rebuild_tensor_v2";
export const rebuildParameter = "torch._utils._rebuild_parameter";

/** What a pickle may ask for. */
export const allowedGlobals: ReadonlySet<string> = new Set([
  "collections.OrderedDict",
  rebuildTensor,
  rebuildParameter,
  ...Object.keys(storageTypes).map((name) => `torch.${name}`),
]);

/** The archive as tensors need it. */
export class Storages {
  readonly path: string;
  /** The entry that holds a storage. */
  readonly entry: (key: string) => ZipEntry | undefined;
  readonly strided: StridedReader;
  readonly #source: ByteSource;

  constructor(source: ByteSource, entry: (key: string) => ZipEntry | undefined) {
    this.path = source.path;
    this.entry = entry;
    this.strided = new StridedReader(source.path);
    this.#source = source;
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#source.read(offset, into);
  }
}

export function isTensor(value: unknown): value is PickleCall {
  return value instanceof PickleCall && (value.function === rebuildTensor || value.function === rebuildParameter);
}

/** The tensor that a call in the pickle stands for. @throws CHECKPOINT */
export async function torchTensor(storages: Storages, call: PickleCall, name: string): Promise<Tensor> {
  const fail = (problem: string): never => {
    throw new CheckpointError(storages.path, problem, { key: name });
  };
  if (call.function === rebuildParameter) {
    const inner = call.args[0];
    return isTensor(inner) && inner.function === rebuildTensor
      ? torchTensor(storages, inner, name)
      : fail("a parameter of no tensor");
  }
  const [storage, offset, shape, strides] = call.args;
  const id = storage instanceof PersistentId ? storage.id : undefined;
  const [kind, type, key] = Array.isArray(id) ? id : [];
  const dtype = type instanceof PickleGlobal ? dtypeOf(storageTypes[type.name.replace("torch.", "")]) : undefined;
  if (kind !== "storage" || !dtype || typeof key !== "string" || key.length > longestKey || !isCount(offset))
    return fail("no tensor");
  if (Array.isArray(shape) && shape.length > mostDimensions) return fail(`${shape.length} dimensions`);
  if (!Array.isArray(shape) || !shape.every(isCount) || !Array.isArray(strides) || !strides.every(isCount)) {
    return fail("a shape or strides that are no counts");
  }
  const entry = storages.entry(key) ?? fail(`its storage ${key} is not in the archive`);
  if (!entry.isStored) return fail("its storage is packed, which PyTorch never does");
  const byteLength = elementCount(shape) * dtype.bytes;
  const begin = offset * dtype.bytes;
  if (!Number.isSafeInteger(byteLength) || begin + byteLength > entry.size) {
    return fail(`it reaches beyond its storage of ${entry.size} bytes`);
  }
  const start = (await entry.start()) + begin;
  const contiguous = { name, dtype: dtype.name, shape, byteLength, offset: start };
  const read = (from: number, into: Uint8Array) => storages.read(start + from, into);
  const isWhole = begin === 0 && byteLength === entry.size;
  const checksum = isWhole ? entry.checksum : undefined;
  if (isRowMajor(shape, strides)) return { ...contiguous, checksum, read };
  if (!isDense(shape, strides)) return fail("its elements overlap or have gaps; save it after .contiguous()");
  const strided = { source: { ...contiguous, checksum, read }, strides, bytes: dtype.bytes };
  return { ...contiguous, read: (from, into) => storages.strided.read(strided, from, into) };
}

/** Strides of dimensions with one element do not matter, and none where there are no elements. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  if (strides.length !== shape.length) return false;
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i -= 1) {
    const extent = shape[i] as number;
    if (extent !== 1 && strides[i] !== expected) return false;
    expected *= extent;
  }
  return true;
}

/** Whether the elements fill a range in some order of the dimensions, as a transposed tensor's do. */
function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  if (strides.length !== shape.length) return false;
  const order = shape.map((_, i) => i).sort((a, b) => (strides[b] as number) - (strides[a] as number));
  return isRowMajor(
    order.map((i) => shape[i] as number),
    order.map((i) => strides[i] as number),
  );
}
