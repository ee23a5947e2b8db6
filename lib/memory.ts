/** Where a value or a gradient is: an array of the host, or a buffer of a device. */

import { types } from "node:util";
import { DeviceBuffer } from "./device-buffer.js";
import { AdamWError, invalid } from "./errors.js";
import { checkArray, isFloat32Array } from "./float32-array.js";
import { native } from "./native.js";

export type Float32Memory = Float32Array | DeviceBuffer;

/**
 * Memory of `length` elements that is still there.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, DISPOSED
 */
export function checkMemory(memory: unknown, name: string, length?: number): Float32Memory {
  if (!(memory instanceof DeviceBuffer)) {
    if (!isFloat32Array(memory)) throw invalid(name, "a Float32Array or a DeviceBuffer", memory);
    return checkArray(memory, name, length);
  }
  if (memory.disposed) throw new AdamWError("DISPOSED", `The buffer of ${name} was disposed`);
  if (length !== undefined && memory.length !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${name} but received ${memory.length}`);
  }
  return memory;
}

/**
 * The `length` by which memory that was checked shows that it is still there; for a buffer, which keeps its length when
 * it is disposed, one that it never has: it must be checked again.
 */
export function lengthToKeep(memory: Float32Memory | null): number {
  return isFloat32Array(memory) ? memory.length : -1;
}

/** CPU devices share the host's memory. */
const space = (device: string) => (device.startsWith("cpu:") ? "cpu" : device);

/** @throws DEVICE_MISMATCH for a buffer that `device` cannot reach */
export function checkDevice(memory: Float32Memory, name: string, device: string): void {
  if (!(memory instanceof DeviceBuffer) || space(memory.device) === space(device)) return;
  const message = `Expected memory of ${device}, where the optimizer works, for ${name} but received memory of ${memory.device}`;
  throw new AdamWError("DEVICE_MISMATCH", message);
}

/** The device whose memory is among these, if any. */
export function deviceOf(memories: Iterable<Float32Memory | null>): string | undefined {
  for (const memory of memories) if (memory instanceof DeviceBuffer) return memory.device;
  return undefined;
}

/** The address space and the first byte in it, to find memory that overlaps. */
export function placeOf(memory: Float32Memory): { space: object | string; begin: number } {
  if (memory instanceof DeviceBuffer) return { space: space(memory.device), begin: Number(memory.pointer) };
  // Several objects can stand for one piece of shared memory.
  if (types.isSharedArrayBuffer(memory.buffer)) return { space: "cpu", begin: Number(native.addressOf(memory)) };
  return { space: memory.buffer, begin: memory.byteOffset };
}

/** The elements, where they are or a copy of them. */
export function elementsOf(memory: Float32Memory): Float32Array {
  return memory instanceof DeviceBuffer ? memory.read() : memory;
}

/** Sets the elements from `offset` on. */
export function setElements(memory: Float32Memory, elements: Float32Array, offset: number): void {
  if (memory instanceof DeviceBuffer) memory.write(elements, offset);
  else memory.set(elements, offset);
}
