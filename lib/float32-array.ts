/** Arrays of the host, and whether they still have their memory. */

import { types } from "node:util";
import { AdamWError, invalid } from "./errors.js";

/** What the addon takes for one too, unlike instanceof: arrays of other realms are, proxies and look-alikes are not. */
export function isFloat32Array(value: unknown): value is Float32Array {
  return types.isFloat32Array(value);
}

/**
 * A Float32Array of `length` elements that still has its memory.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
 */
export function checkArray(array: unknown, name: string, length?: number): Float32Array {
  if (!isFloat32Array(array)) throw invalid(name, "a Float32Array", array);
  if (isDetached(array)) {
    const message = `The memory of ${name} is gone: it was transferred, or its WebAssembly memory has grown. Pass an array over the new memory, or give it to rebind() where it is bound`;
    throw new AdamWError("DETACHED", message);
  }
  if (length !== undefined && array.length !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${name} but received ${array.length}`);
  }
  return array;
}

/** `ArrayBuffer.prototype.detached` came with Node 21; before, only making a view of the buffer tells it from an empty one. */
function isDetached(array: Float32Array): boolean {
  if (array.length > 0) return false;
  const buffer = array.buffer as ArrayBufferLike & { detached?: boolean };
  if (buffer.detached !== undefined) return buffer.detached;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
