/** Where a value or a gradient is: an array of the host, or a buffer of a device. */

import { types } from "node:util";
import { DeviceBuffer } from "./device-buffer.js";
import type { DType, HostArray } from "./dtypes.js";
import { AdamWError, invalid } from "./errors.js";
import { arrayName, checkArray, dtypeOfArray, isResizable } from "./host-array.js";
import { native } from "./native.js";

export type TensorMemory<D extends DType = DType> = HostArray<D> | DeviceBuffer<D>;

/**
 * Memory of `length` elements, of `dtype` where it is given, that is still there.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, DISPOSED
 */
export function checkMemory(memory: unknown, name: string, length?: number, dtype?: DType): TensorMemory {
  const found = memory instanceof DeviceBuffer ? memory.dtype : dtypeOfArray(memory);
  if (found === undefined) throw invalid(name, memoryName(dtype), memory);
  if (dtype && found !== dtype) throw invalid(`the type of ${name}`, dtype, found);
  if (!(memory instanceof DeviceBuffer)) return checkArray(memory, name, length);
  if (memory.disposed) throw new AdamWError("DISPOSED", `The buffer of ${name} was disposed`);
  if (length !== undefined && memory.length !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${name} but received ${memory.length}`);
  }
  return memory;
}

/** What messages call memory of one type, or of any: "a Float32Array or a DeviceBuffer". */
export function memoryName(dtype?: DType): string {
  return `${arrayName(dtype)} or a DeviceBuffer`;
}

/** The type of the elements of memory that was checked. */
export function dtypeOf(memory: TensorMemory): DType {
  return memory instanceof DeviceBuffer ? memory.dtype : (dtypeOfArray(memory) as DType);
}

/**
 * The `length` by which memory that was checked shows that it is still there; −1 where it does not show it and must be
 * checked again: a buffer keeps its length when it is disposed, and whoever asks many arrays for theirs must ask no
 * resizable one ({@link lengthOf}).
 */
export function lengthToKeep(memory: TensorMemory | null): number {
  return memory === null || memory instanceof DeviceBuffer || isResizable(memory) ? -1 : memory.length;
}

/** CPU devices share the host's memory. */
const space = (device: string) => (device.startsWith("cpu:") ? "cpu" : device);

/** @throws DEVICE_MISMATCH for a buffer that `device` cannot reach */
export function checkDevice(memory: TensorMemory, name: string, device: string): void {
  if (!(memory instanceof DeviceBuffer) || space(memory.device) === space(device)) return;
  const message = `Expected memory of ${device}, where the optimizer works, for ${name} but received memory of ${memory.device}`;
  throw new AdamWError("DEVICE_MISMATCH", message);
}

/** The device whose memory is among these, if any. */
export function deviceOf(memories: Iterable<TensorMemory | null>): string | undefined {
  for (const memory of memories) if (memory instanceof DeviceBuffer) return memory.device;
  return undefined;
}

/** The address space and the first byte in it, to find memory that overlaps. */
export function placeOf(memory: TensorMemory): { space: object | string; begin: number } {
  if (memory instanceof DeviceBuffer) return { space: space(memory.device), begin: Number(memory.pointer) };
  // Several objects can stand for one piece of shared memory.
  if (types.isSharedArrayBuffer(memory.buffer)) return { space: "cpu", begin: Number(native.addressOf(memory)) };
  return { space: memory.buffer, begin: memory.byteOffset };
}

/** The elements, where they are or a copy of them. */
export function elementsOf(memory: TensorMemory): HostArray {
  return memory instanceof DeviceBuffer ? memory.read() : memory;
}

/** Fills `to` with the elements from `offset` on. */
export function getElements(memory: TensorMemory, to: HostArray, offset: number): void {
  if (memory instanceof DeviceBuffer) memory.read(to, offset);
  else to.set(memory.subarray(offset, offset + to.length));
}

/** Sets the elements from `offset` on. */
export function setElements(memory: TensorMemory, elements: HostArray, offset: number): void {
  if (memory instanceof DeviceBuffer) memory.write(elements, offset);
  else memory.set(elements, offset);
}
