/** Memory that another library or another process owns, as they describe it. */

import { type DType, dtypeKind, dtypeNames, dtypes } from "./dtypes.js";
import { invalid, unexpected } from "./errors.js";
import { Stream, streamPointer } from "./stream.js";
import { integerFrom, isRecord, type Kind, listOf, parse, parseRecord, text } from "./validate.js";

/** Memory that another library owns. */
export interface ForeignMemory<D extends DType = DType> {
  /** A device or its name: "cuda:0". */
  readonly device: { readonly name: string } | string;
  /** Where it begins. */
  readonly pointer: bigint | number;
  readonly dtype: D;
  /** Elements. */
  readonly length: number;
  /** Kept alive as long as the buffer: whatever frees the memory when it is collected. @default none */
  readonly owner?: unknown;
  /**
   * The stream on which its owner works on it, which work here waits for and makes wait.
   * @default the device's default
   */
  readonly stream?: Stream | bigint | number;
}

/**
 * What CuPy, Numba and PyTorch have: https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html, version 3.
 */
export interface CudaArrayInterface {
  readonly shape: readonly number[];
  readonly typestr: string;
  /** Where it begins, and whether it must not be written. */
  readonly data: readonly [pointer: bigint | number, readOnly: boolean];
  readonly version: number;
  /** Bytes from one element to the next in each dimension; null: without gaps, the last dimension first. */
  readonly strides?: readonly number[] | null;
  /** Null: nothing to wait for. */
  readonly stream?: bigint | number | null;
}

/** An object of another library that says where its memory is. */
export interface CudaArray {
  readonly __cuda_array_interface__: CudaArrayInterface;
}

/** What another process needs to open a shared buffer; plain JSON. */
export interface SharedMemory {
  /** The device as the process that shares it calls it. */
  readonly device: string;
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  /** Where it begins in the memory that the handle opens, in elements. */
  readonly offset: number;
  /** CUDA's handle, in base64. */
  readonly handle: string;
}

/** Memory that can be used as it is described. */
export interface Described {
  readonly device: string;
  readonly pointer: bigint;
  readonly dtype: DType;
  readonly length: number;
  readonly owner: unknown;
  readonly stream: Stream | bigint | undefined;
}

const addressKind: Kind<bigint | number> = {
  expected: "an address as a bigint or an integer > 0",
  accepts: (value) => (typeof value === "bigint" ? value > 0n && value < 2n ** 64n : integerFrom(1).accepts(value)),
};

const foreignKeys = ["device", "pointer", "dtype", "length", "owner", "stream"];
const sharedKeys = ["device", "dtype", "length", "offset", "handle"];

/** @throws INVALID_ARGUMENT */
export function describeForeign(memory: ForeignMemory | CudaArray, cudaDevice: string): Described {
  const isArray = typeof memory === "object" && memory !== null && "__cuda_array_interface__" in memory;
  const described = isArray ? fromInterface(memory, cudaDevice) : memory;
  const { device, pointer, dtype, length, owner, stream } = parseRecord(described, "the memory", foreignKeys);
  const name = isNamed(device) ? device.name : device;
  const type = parse(dtypeKind, dtype as DType, "dtype");
  const begin = BigInt(parse(addressKind, pointer as bigint, "pointer"));
  const { bytes } = dtypes[type];
  if (begin % BigInt(bytes) !== 0n) throw invalid("pointer", `a multiple of ${bytes}`, pointer);
  return {
    device: parse(text, name as string, "device"),
    pointer: begin,
    dtype: type,
    length: parse(integerFrom(0), length as number, "length"),
    owner,
    stream:
      stream === undefined || stream instanceof Stream
        ? stream
        : BigInt(parse(streamPointer, stream as bigint, "stream")),
  };
}

const isNamed = (value: unknown): value is { name: string } =>
  typeof value === "object" && value !== null && "name" in value;

function fromInterface(owner: CudaArray, device: string): ForeignMemory {
  const where = "__cuda_array_interface__";
  const { shape, typestr, data, strides, stream } = owner[where];
  const dtype = dtypeNames.find((name) => dtypes[name].typestr === typestr);
  if (dtype === undefined) {
    const known = Object.values(dtypes).map((type) => JSON.stringify(type.typestr));
    throw invalid(`${where}.typestr`, known.join(" or "), typestr);
  }
  parse(listOf(integerFrom(0)), shape, `${where}.shape`);
  if (!Array.isArray(data) || data[1] !== false) throw invalid(`${where}.data`, "[pointer, false]", data);
  if (strides && !isContiguous(shape, strides, dtypes[dtype].bytes)) {
    throw invalid(`${where}.strides`, "the strides of an array without gaps", strides);
  }
  const length = shape.reduce((product, extent) => product * extent, 1);
  return { device, pointer: data[0], dtype, length, owner, ...(stream != null && { stream }) };
}

function isContiguous(shape: readonly number[], strides: readonly number[], bytes: number): boolean {
  let expected = bytes;
  for (let i = shape.length - 1; i >= 0; i -= 1) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i] as number;
  }
  return strides.length === shape.length;
}

/** @throws INVALID_ARGUMENT */
export function parseShared(shared: SharedMemory): SharedMemory {
  if (!isRecord(shared)) throw unexpected("what share() of a buffer has returned", shared);
  const { device, dtype, length, offset, handle } = parseRecord(shared, "the shared memory", sharedKeys);
  return {
    device: parse(text, device as string, "device"),
    dtype: parse(dtypeKind, dtype as DType, "dtype"),
    length: parse(integerFrom(0), length as number, "length"),
    offset: parse(integerFrom(0), offset as number, "offset"),
    handle: parse(text, handle as string, "handle"),
  };
}
