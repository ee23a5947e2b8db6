/** Memory on a device. */

import { type BlockSource, DeviceBlock } from "./device-block.js";
import { type DType, dtypes, type HostArray } from "./dtypes.js";
import { AdamWError, invalid, unexpected } from "./errors.js";
import {
  type CudaArray,
  type CudaArrayInterface,
  describeForeign,
  type ForeignMemory,
  parseShared,
  type SharedMemory,
} from "./foreign-memory.js";
import { checkArray, checkFixed, makeArray } from "./host-array.js";
import { inspection, shownAs } from "./inspection.js";
import { native } from "./native.js";
import { streamOn } from "./stream.js";
import { integerFrom, listOf, parse } from "./validate.js";

/**
 * Elements in a device's memory. On a CPU device that is the host's memory, so that one program runs on both.
 *
 * All work on a buffer is put in the order of its stream. A step on another stream comes after what is there, and what
 * comes there later comes after the step: without a word, everybody sees what was done before.
 *
 * @example
 * const device = openDevice("auto");
 * const weights = device.allocate("float32", 3).write(Float32Array.of(1, 2, 3));
 * new AdamW().build([{ name: "weights", value: weights }]);
 * weights.read(); // Float32Array [1, 2, 3]
 */
export class DeviceBuffer<D extends DType = DType> {
  readonly dtype: D;
  /** Elements. */
  readonly length: number;
  readonly #block: DeviceBlock;
  /** Where this part begins, in elements. */
  readonly #begin: number;
  /** Its pointer and its stream's, as the addon takes them. */
  #address: BigUint64Array | undefined;

  private constructor(block: DeviceBlock, dtype: D, begin: number, length: number) {
    this.#block = block;
    this.dtype = dtype;
    this.#begin = begin;
    this.length = length;
  }

  /** Not for users: {@link Device.allocate} and the static functions below make buffers. */
  static of<D extends DType>(dtype: D, length: number, source: BlockSource, begin = 0): DeviceBuffer<D> {
    return new DeviceBuffer(new DeviceBlock(source), dtype, begin, length);
  }

  /**
   * A buffer over memory that another library owns: it is not freed here. Also takes an object with a
   * `__cuda_array_interface__`, of the first GPU or of `device`.
   *
   * @throws INVALID_ARGUMENT, NO_DEVICE, DEVICE_MISMATCH
   */
  static fromPointer<D extends DType = DType>(memory: ForeignMemory<D> | CudaArray, device = "cuda"): DeviceBuffer<D> {
    const { dtype, length, pointer, owner, ...where } = describeForeign(memory, device);
    const stream = streamOn(where.device, where.stream);
    return DeviceBuffer.of(dtype as D, length, { stream, bytes: length * dtypes[dtype].bytes, which: pointer, owner });
  }

  /**
   * The buffer that another process shares by {@link share}. That process keeps it until this is disposed.
   *
   * @throws INVALID_ARGUMENT, NO_DEVICE, CUDA
   */
  static open(shared: SharedMemory): DeviceBuffer {
    const { device, dtype, length, offset, handle } = parseShared(shared);
    const stream = new native.Stream(device);
    const which = new Uint8Array(Buffer.from(handle, "base64"));
    return DeviceBuffer.of(dtype, length, { stream, bytes: (offset + length) * dtypes[dtype].bytes, which }, offset);
  }

  /** The device that has it: "cuda:0". */
  get device(): string {
    return this.#block.stream.device;
  }

  get byteLength(): number {
    return this.length * this.#bytes;
  }

  /** Where it begins in the device's address space. @throws DISPOSED */
  get pointer(): bigint {
    return this.#block.pointer + BigInt(this.#begin * this.#bytes);
  }

  /** For the addon: the pointer, and the stream's. */
  get address(): BigUint64Array {
    this.#address ??= BigUint64Array.of(this.pointer, this.#block.stream.pointer);
    return this.#address;
  }

  /** For CuPy, Numba and PyTorch. @throws DISPOSED */
  get __cuda_array_interface__(): CudaArrayInterface {
    const { typestr } = dtypes[this.dtype];
    // 0 is not allowed there; CUDA calls the default stream 1.
    const stream = this.#block.stream.pointer || 1n;
    return { shape: [this.length], typestr, data: [this.pointer, false], version: 3, strides: null, stream };
  }

  get disposed(): boolean {
    return this.#block.disposed;
  }

  /** Sets the elements from `offset` on. @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, DISPOSED, CUDA */
  write(values: HostArray<D>, offset = 0): this {
    this.#block.work("write()").write(values, this.#place(values, offset));
    return this;
  }

  /**
   * A copy of all elements, or into `to` those from `offset` on.
   *
   * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, DISPOSED, CUDA
   */
  read(to: HostArray<D> = makeArray(this.dtype, this.length), offset = 0): HostArray<D> {
    this.#block.work("read()").read(to, this.#place(to, offset));
    return to;
  }

  /**
   * As write(), with the event loop free: values may change when this returns, unless their array is one of
   * {@link Device.allocateHost}, which is read until the promise settles.
   */
  async writeAsync(values: HostArray<D>, offset = 0): Promise<void> {
    await this.#block.work("writeAsync()").writeAsync(values, this.#place(values, offset));
  }

  /**
   * As read(), with the event loop free: the values as they are after what was put on the stream before.
   *
   * @throws NOT_SHAREABLE too, for an array over a resizable ArrayBuffer
   */
  async readAsync(to: HostArray<D> = makeArray(this.dtype, this.length), offset = 0): Promise<HostArray<D>> {
    const place = this.#place(to, offset);
    checkFixed(to, "the array");
    await this.#block.work("readAsync()").readAsync(to, place);
    return to;
  }

  /**
   * Sets every element, to what an array of its type would make of `value`, without waiting.
   *
   * @throws INVALID_ARGUMENT, DISPOSED, CUDA
   */
  fill(value: number): this {
    if (typeof value !== "number") throw invalid("value", "a number", value);
    this.#block.work("fill()").fill(makeArray(this.dtype, 1).fill(value), this.#begin * this.#bytes, this.length);
    return this;
  }

  /**
   * Takes the elements of another buffer of this type and length, of any device, without waiting.
   *
   * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DISPOSED, CUDA
   */
  copyFrom(other: DeviceBuffer<D>): this {
    if (!(other instanceof DeviceBuffer)) throw invalid("other", "a DeviceBuffer", other);
    if (other.dtype !== this.dtype) throw invalid("the type of other", this.dtype, other.dtype);
    if (other.length !== this.length) {
      const message = `Expected a buffer of ${this.length} elements but received one of ${other.length}`;
      throw new AdamWError("LENGTH_MISMATCH", message);
    }
    if (kindOf(other.device) !== kindOf(this.device)) return this.write(other.read());
    const [from, to] = [other.#begin * this.#bytes, this.#begin * this.#bytes];
    this.#block.work("copyFrom()").copyFrom(other.#block.work("copyFrom()"), from, to, this.byteLength);
    return this;
  }

  /** The elements from `begin` to before `end`, in the same memory. @throws INVALID_ARGUMENT */
  slice(begin: number, end: number = this.length): DeviceBuffer<D> {
    parse(listOf(integerFrom(0)), [begin, end], "the bounds of slice()");
    if (begin > end || end > this.length) {
      throw unexpected(`bounds of slice() with 0 ≤ begin ≤ end ≤ ${this.length}`, [begin, end]);
    }
    return new DeviceBuffer(this.#block, this.dtype, this.#begin + begin, end - begin);
  }

  /** What {@link open} of another process takes; JSON can carry it. @throws NOT_SHAREABLE, DISPOSED, CUDA */
  share(): SharedMemory {
    const handle = Buffer.from(this.#block.share()).toString("base64");
    return { device: this.device, dtype: this.dtype, length: this.length, offset: this.#begin, handle };
  }

  /** @internal For work whose end no stream knows: the memory is there until release(), disposed or not. */
  hold(): void {
    this.#block.hold();
  }

  /** @internal The work of one hold() is done. */
  release(): void {
    this.#block.release();
  }

  /**
   * Frees the memory, that of all its parts too, after the work on it; memory of another library is only let go.
   *
   * @throws BUSY in a capture
   */
  dispose(): void {
    this.#block.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What `console.log` shows: where it is and how long, not what is in it, which would have to be waited for. */
  [inspection](): object {
    return shownAs("DeviceBuffer", () => {
      const { device, dtype, length, disposed } = this;
      return { device, dtype, length, ...(disposed && { disposed }) };
    });
  }

  get #bytes(): number {
    return dtypes[this.dtype].bytes;
  }

  /** Where the elements from `offset` on that the array covers begin, in bytes. */
  #place(array: unknown, offset: number): number {
    const { length } = checkArray(array, "the array", undefined, this.dtype);
    parse(integerFrom(0), offset, "offset");
    if (offset + length > this.length) {
      const message = `Expected at most ${this.length - offset} elements from element ${offset} on but received ${length}`;
      throw new AdamWError("LENGTH_MISMATCH", message);
    }
    return (this.#begin + offset) * this.#bytes;
  }
}

const kindOf = (device: string) => device.replace(/:.*/, "");
