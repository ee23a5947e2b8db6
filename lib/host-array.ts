/** Arrays of the host, and whether they still have their memory. */

import { type DType, dtypeNames, dtypes, type HostArray } from "./dtypes.js";
import { AdamWError, invalid } from "./errors.js";

/**
 * What the addon takes for a typed array too, unlike instanceof: those of other realms are, proxies and look-alikes are
 * not.
 */
const typedArrays = Object.getPrototypeOf(Uint8Array.prototype);
const nameOf = Object.getOwnPropertyDescriptor(typedArrays, Symbol.toStringTag)?.get as (
  this: unknown,
) => string | undefined;

/** "Float32Array"; undefined for what is no typed array. */
export function arrayNameOf(value: unknown): string | undefined {
  return nameOf.call(value);
}

const dtypeByArray: ReadonlyMap<string | undefined, DType> = new Map(
  dtypeNames.map((dtype) => [dtypes[dtype].array.name, dtype]),
);

/**
 * The elements that an array has now. Not its `length`: where V8 has compiled that for resizable arrays too, Node 20's
 * gives the old one of a detached array.
 */
export function lengthOf(array: HostArray): number {
  return array.byteLength / array.BYTES_PER_ELEMENT;
}

/** Whether its length can change other than by being detached. */
export function isResizable({ buffer }: HostArray): boolean {
  const { resizable, growable } = buffer as { resizable?: boolean; growable?: boolean };
  return resizable === true || growable === true;
}

/**
 * For work on another thread, from under which a resizable ArrayBuffer could take memory at any time; one that is
 * shared can only grow.
 *
 * @throws NOT_SHAREABLE
 */
export function checkFixed({ buffer }: HostArray, name: string): void {
  if ((buffer as { resizable?: boolean }).resizable !== true) return;
  const message = `The memory of ${name} is a resizable ArrayBuffer, which could shrink while another thread works on it: give the Async forms arrays over ArrayBuffers of fixed length, or use the others`;
  throw new AdamWError("NOT_SHAREABLE", message);
}

/** What messages call the arrays of one type, or of any: "a Float32Array". */
export function arrayName(dtype?: DType): string {
  const names = dtype ? [dtype] : dtypeNames;
  return names.map((name) => `a ${dtypes[name].array.name}`).join(" or ");
}

/** The type of the elements that an array holds; undefined for what is no such array. */
export function dtypeOfArray(value: unknown): DType | undefined {
  return dtypeByArray.get(arrayNameOf(value));
}

/** Whether it is an array of this type. */
export function isArrayOf<D extends DType>(dtype: D, value: unknown): value is HostArray<D> {
  return arrayNameOf(value) === dtypes[dtype].array.name;
}

/** An array of zeros. */
export function makeArray<D extends DType>(dtype: D, length: number): HostArray<D> {
  return new dtypes[dtype].array(length);
}

/**
 * An array of `length` elements, of `dtype` where it is given, that still has its memory.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
 */
export function checkArray<D extends DType>(array: unknown, name: string, length?: number, dtype?: D): HostArray<D> {
  const found = dtypeOfArray(array);
  if (found === undefined || (dtype && found !== dtype)) throw invalid(name, arrayName(dtype), array);
  const checked = array as HostArray<D>;
  if (isDetached(checked)) {
    const message = `The memory of ${name} is gone: it was transferred, or its WebAssembly memory has grown. Pass an array over the new memory, or give it to rebind() where it is bound`;
    throw new AdamWError("DETACHED", message);
  }
  const received = lengthOf(checked);
  if (length !== undefined && received !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${name} but received ${received}`);
  }
  return checked;
}

/**
 * `ArrayBuffer.prototype.detached` came with Node 21; before, only making a view of the buffer tells it from an empty
 * one.
 */
function isDetached(array: HostArray): boolean {
  if (array.byteLength > 0) return false;
  const buffer = array.buffer as ArrayBufferLike & { detached?: boolean };
  if (buffer.detached !== undefined) return buffer.detached;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
