/** Memory on a device, and the devices that lend it. */

import { AdamWError, invalid } from "./errors.js";
import { type DeviceInfo, type NativeBuffer, native } from "./native.js";
import { integerFrom, type Kind, listOf, parse, parseRecord, text } from "./validate.js";

/** What an element is. */
export type DType = "float32";

const dtypes: Readonly<Record<DType, { readonly bytes: number }>> = { float32: { bytes: 4 } };

const dtypeKind: Kind<DType> = {
  expected: `one of ${Object.keys(dtypes).join(", ")}`,
  accepts: (value) => typeof value === "string" && Object.hasOwn(dtypes, value),
};

const address: Kind<bigint | number> = {
  expected: "an address as a bigint or an integer > 0",
  accepts: (value) => (typeof value === "bigint" ? value > 0n && value < 2n ** 64n : integerFrom(1).accepts(value)),
};

/** Memory that another library owns. */
export interface ForeignMemory {
  /** A device or its name: "cuda:0". */
  readonly device: Device | string;
  /** Where it begins. */
  readonly pointer: bigint | number;
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  /** Kept alive as long as the buffer: whatever frees the memory when it is collected. @default none */
  readonly owner?: unknown;
}

/** One block of memory, which its parts share. */
interface Block {
  readonly native: NativeBuffer;
  readonly device: string;
  readonly pointer: bigint;
  readonly owner: unknown;
  disposed: boolean;
}

/**
 * Elements in a device's memory. On a CPU device that is the host's memory, so that one program runs on both.
 *
 * @example
 * const device = openDevice("auto");
 * const weights = device.allocate("float32", 3).write(Float32Array.of(1, 2, 3));
 * new AdamW().build([{ name: "weights", value: weights }]);
 * weights.read(); // Float32Array [1, 2, 3]
 */
export class DeviceBuffer {
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  readonly #block: Block;
  /** Where this part begins, in elements. */
  readonly #begin: number;

  /** Not for users: {@link Device.allocate}, {@link DeviceBuffer.fromPointer} and {@link slice} make buffers. */
  constructor(block: Block, dtype: DType, begin: number, length: number) {
    this.#block = block;
    this.dtype = dtype;
    this.#begin = begin;
    this.length = length;
  }

  /**
   * A buffer over memory that another library owns: it is not freed here. Work that fills it must be done before a step
   * or `read()` is called.
   *
   * @throws INVALID_ARGUMENT, NO_DEVICE
   */
  static fromPointer(memory: ForeignMemory): DeviceBuffer {
    const keys = ["device", "pointer", "dtype", "length", "owner"];
    const { device, pointer, dtype, length, owner } = parseRecord(
      memory,
      "the memory",
      keys,
    ) as unknown as ForeignMemory;
    const name = parse(text, device instanceof Device ? device.name : device, "device");
    parse(dtypeKind, dtype, "dtype");
    parse(integerFrom(0), length, "length");
    const begin = BigInt(parse(address, pointer, "pointer"));
    const { bytes } = dtypes[dtype];
    if (begin % BigInt(bytes) !== 0n) throw invalid("pointer", `an address that ${bytes} divides`, pointer);
    const buffer = new native.Buffer(name, length * bytes, begin);
    return new DeviceBuffer(blockOf(buffer, owner), dtype, 0, length);
  }

  /** The device that has it: "cuda:0". */
  get device(): string {
    return this.#block.device;
  }

  get byteLength(): number {
    return this.length * dtypes[this.dtype].bytes;
  }

  /** Where it begins in the device's address space. @throws DISPOSED */
  get pointer(): bigint {
    return this.#alive().pointer + BigInt(this.#begin * dtypes[this.dtype].bytes);
  }

  get disposed(): boolean {
    return this.#block.disposed;
  }

  /** Sets the elements from `offset` on. @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DISPOSED, CUDA */
  write(values: Float32Array, offset = 0): this {
    this.#alive().native.write(values, this.#place(offset, values?.length));
    return this;
  }

  /** A copy of all elements, or into `to` those from `offset` on. @throws LENGTH_MISMATCH, DISPOSED, CUDA */
  read(to: Float32Array = new Float32Array(this.length), offset = 0): Float32Array {
    return this.#alive().native.read(to, this.#place(offset, to?.length));
  }

  /** Sets every element. */
  fill(value: number): this {
    return this.write(new Float32Array(this.length).fill(value));
  }

  /** The elements from `begin` to before `end`, in the same memory. @throws INVALID_ARGUMENT */
  slice(begin: number, end: number = this.length): DeviceBuffer {
    parse(listOf(integerFrom(0)), [begin, end], "the bounds of slice()");
    if (begin > end || end > this.length) {
      throw invalid("the bounds of slice()", `0 ≤ begin ≤ end ≤ ${this.length}`, [begin, end]);
    }
    return new DeviceBuffer(this.#block, this.dtype, this.#begin + begin, end - begin);
  }

  /** Frees the memory, that of all its parts too; memory of another library is only let go. */
  dispose(): void {
    this.#block.disposed = true;
    this.#block.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #alive(): Block {
    if (this.#block.disposed) throw new AdamWError("DISPOSED", "The buffer was disposed");
    return this.#block;
  }

  #place(offset: number, length: number): number {
    parse(integerFrom(0), offset, "offset");
    if (offset + length > this.length) {
      const message = `Expected at most ${this.length - offset} elements from element ${offset} on but received ${length}`;
      throw new AdamWError("LENGTH_MISMATCH", message);
    }
    return this.#begin + offset;
  }
}

function blockOf(buffer: NativeBuffer, owner: unknown): Block {
  return { native: buffer, device: buffer.device, pointer: buffer.pointer, owner, disposed: false };
}

/** A device that is there. */
export class Device {
  /** "cuda:0", "cpu:avx2" */
  readonly name: string;
  /** What stands before the colon. */
  readonly kind: string;

  /** Not for users: {@link openDevice} makes devices. */
  constructor({ name, kind }: Pick<DeviceInfo, "name" | "kind">) {
    this.name = name;
    this.kind = kind;
  }

  /** Zeroed memory. @throws INVALID_ARGUMENT, OUT_OF_MEMORY, CUDA */
  allocate(dtype: DType, length: number): DeviceBuffer {
    parse(dtypeKind, dtype, "dtype");
    parse(integerFrom(0), length, "length");
    const buffer = new native.Buffer(this.name, length * dtypes[dtype].bytes);
    return new DeviceBuffer(blockOf(buffer, undefined), dtype, 0, length);
  }
}

/**
 * The device that is named, the best of a kind, or with "auto" the best there is: a GPU before any CPU.
 *
 * @throws NO_DEVICE with the reason
 */
export function openDevice(name = "auto"): Device {
  parse(text, name, "device");
  const found = new native.Buffer(name, 0);
  const device = new Device({ name: found.device, kind: found.device.replace(/:.*/, "") });
  found.dispose();
  return device;
}
