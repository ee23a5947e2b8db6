/**
 * Reads dense tensors that are stored in another order of their dimensions, as transposed ones are, in row-major order.
 */

import type { Tensor } from "./checkpoint.js";
import { Checksum } from "./checksum.js";
import { elementCount } from "./dtypes.js";
import { checkChecksum } from "./verify.js";

/** A tensor in its own order, with the strides of its dimensions in elements. */
export interface Strided {
  readonly source: Tensor;
  readonly strides: readonly number[];
  /** Of an element. */
  readonly bytes: number;
}

/**
 * Two buffers are all the memory it takes, whatever the tensors' sizes: a block of the result, and a chunk of the
 * source. Each block reads what of the source lies between its first and its last element, so a transposed tensor of
 * n blocks is read n times.
 */
const blockBytes = 2 ** 24;
const chunkBytes = 2 ** 22;

/** Elements as they are, whatever their type. */
type Elements = { [i: number]: number | bigint };
const elementsOf: Readonly<Record<number, (buffer: ArrayBufferLike) => Elements>> = {
  1: (buffer) => new Uint8Array(buffer),
  2: (buffer) => new Uint16Array(buffer),
  4: (buffer) => new Uint32Array(buffer),
  8: (buffer) => new BigUint64Array(buffer),
};

/** A part of a tensor: whole but for a range of one dimension and one place in each of those before it. */
interface Block {
  readonly tensor: Strided;
  /** Bytes of the result. */
  readonly start: number;
  readonly end: number;
  /** Elements of the source before its first. */
  readonly origin: number;
  readonly extents: readonly number[];
}

/** Shared by the tensors of a file; it holds one block at a time. */
export class StridedReader {
  readonly #path: string;
  readonly #checked = new WeakSet<Strided>();
  #block: Block | undefined;
  #result = new Uint8Array(0);
  #chunk = new Uint8Array(0);
  /** Reads wait for each other: they share the buffers. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Fills `into` with the bytes of the row-major tensor from `start` on. @throws CHECKPOINT */
  read(tensor: Strided, start: number, into: Uint8Array): Promise<void> {
    const read = this.#last.then(() => this.#read(tensor, start, into));
    this.#last = read.catch(() => undefined);
    return read;
  }

  async #read(tensor: Strided, start: number, into: Uint8Array): Promise<void> {
    if (!this.#checked.has(tensor)) await this.#check(tensor);
    for (let done = 0; done < into.length; ) {
      const { start: begin, end } = await this.#load(tensor, start + done);
      const from = start + done - begin;
      const length = Math.min(into.length - done, end - start - done);
      into.set(this.#result.subarray(from, from + length), done);
      done += length;
    }
  }

  /** The checksum is that of the bytes as they are stored. */
  async #check(tensor: Strided): Promise<void> {
    const { source } = tensor;
    if (source.checksum !== undefined) {
      const checksum = new Checksum();
      for (let start = 0; start < source.byteLength; start += chunkBytes) {
        const chunk = this.#chunkOf(Math.min(chunkBytes, source.byteLength - start));
        await source.read(start, chunk);
        await checksum.update(chunk);
      }
      checkChecksum(this.#path, source, checksum);
    }
    this.#checked.add(tensor);
  }

  /** Makes the block that holds byte `at` the one in memory. */
  async #load(tensor: Strided, at: number): Promise<Block> {
    const known = this.#block;
    if (known?.tensor === tensor && at >= known.start && at < known.end) return known;
    this.#block = undefined;
    const block = blockAt(tensor, at);
    const length = block.end - block.start;
    if (this.#result.length < length) this.#result = bufferOf(length);
    await this.#fill(block);
    this.#block = block;
    return block;
  }

  /** Walks through the source in its own order; the runs of the dimension that is closest there are copied at once. */
  async #fill({ tensor, origin, extents }: Block): Promise<void> {
    const { source, strides, bytes } = tensor;
    const order = [...extents.keys()].filter((i) => extents[i] !== 1);
    order.sort((a, b) => (strides[b] as number) - (strides[a] as number));
    const steps = extents.map((_, i) => elementCount(extents.slice(i + 1)));
    const inner = order.pop() ?? 0;
    const [run = 1, stride = 1, step = 1] = [extents[inner], strides[inner], steps[inner]];
    const end = extents.reduce((sum, extent, i) => sum + (extent - 1) * (strides[i] as number), origin + 1);
    const view = elementsOf[bytes] as (buffer: ArrayBufferLike) => Elements;
    const to = view(this.#result.buffer);
    let from: Elements = [];
    let [chunkStart, chunkEnd] = [0, 0];
    const index = order.map(() => 0);
    let [at, place] = [origin, 0];
    for (let left = order.reduce((product, i) => product * (extents[i] as number), 1); left > 0; left -= 1) {
      for (let done = 0; done < run; ) {
        const next = at + done * stride;
        if (next >= chunkEnd) {
          [chunkStart, chunkEnd] = [next, Math.min(end, next + chunkBytes / bytes)];
          const chunk = this.#chunkOf((chunkEnd - chunkStart) * bytes);
          await source.read(chunkStart * bytes, chunk);
          from = view(chunk.buffer);
        }
        const count = Math.min(run - done, Math.ceil((chunkEnd - next) / stride));
        copy(to, place + done * step, step, from, next - chunkStart, stride, count);
        done += count;
      }
      for (let i = order.length - 1; i >= 0; i -= 1) {
        const dimension = order[i] as number;
        const [extent = 1, far = 0, wide = 0] = [extents[dimension], strides[dimension], steps[dimension]];
        index[i] = (index[i] as number) + 1;
        at += far;
        place += wide;
        if ((index[i] as number) < extent) break;
        index[i] = 0;
        at -= far * extent;
        place -= wide * extent;
      }
    }
  }

  #chunkOf(length: number): Uint8Array<ArrayBuffer> {
    if (this.#chunk.length < length) this.#chunk = bufferOf(length);
    return this.#chunk.subarray(0, length);
  }
}

/** Any elements fill it. */
function bufferOf(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.ceil(bytes / 8) * 8);
}

function copy(to: Elements, at: number, step: number, from: Elements, start: number, stride: number, count: number) {
  for (let i = 0, a = at, b = start; i < count; i += 1, a += step, b += stride) to[a] = from[b] as number;
}

/** The block of the result that holds byte `at`: as many rows of a dimension as are allowed. */
function blockAt(tensor: Strided, at: number): Block {
  const { source, strides, bytes } = tensor;
  const { shape } = source;
  const extents = [...shape];
  let rest = Math.floor(at / bytes);
  let [start, origin] = [0, 0];
  for (const [i, extent] of shape.entries()) {
    const row = elementCount(shape.slice(i + 1));
    const rows = Math.floor(blockBytes / bytes / row);
    const index = Math.floor(rest / row);
    // One of a dimension whose rows are too long, and on with the next; or some of one whose rows are not.
    const first = rows === 0 ? index : Math.floor(index / rows) * rows;
    extents[i] = rows === 0 ? 1 : Math.min(rows, extent - first);
    start += first * row;
    origin += first * (strides[i] as number);
    if (rows > 0) break;
    rest -= index * row;
  }
  return { tensor, start: start * bytes, end: (start + elementCount(extents)) * bytes, origin, extents };
}
