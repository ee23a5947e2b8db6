/** Reading a tensor piece by piece: the next pieces come while this one is worked on. */

import type { Tensor } from "./checkpoint.js";

/**
 * A multiple of every element size. From 1 to 8 MiB, and from 1 to 4 pieces ahead, a load from the disk takes the same time
 * within the noise of a disk (0.4 to 0.9 of a plain read, whichever); from the system's cache of a file none of it matters.
 */
export const readPieceBytes = 2 ** 22;
/**
 * Pieces that are read ahead: as many threads of Node's pool read at once. Where other work takes the cores, whoever has
 * one finds something to do. All of a reader's buffers together stay in a cache, and are all the memory a load takes.
 */
const ahead = 3;

/** The buffers that all tensors of one load share. */
export class PieceReader {
  readonly #buffers = Array.from({ length: ahead + 1 }, () => new Uint8Array(0));

  /** Calls `use` with every piece, in order; the bytes are good until it is done, and those read `into` memory stay. */
  async each(
    tensor: Tensor,
    use: (piece: Uint8Array, start: number) => Promise<void> | void,
    into?: Uint8Array,
  ): Promise<void> {
    const pending: Promise<Uint8Array>[] = [];
    const count = Math.ceil(tensor.byteLength / readPieceBytes);
    const begin = (index: number) => {
      const piece = this.#read(tensor, index, into);
      // `use` may throw before anybody awaits this.
      piece.catch(() => undefined);
      pending.push(piece);
    };
    try {
      for (let index = 0; index < Math.min(ahead, count); index += 1) begin(index);
      for (let index = 0; index < count; index += 1) {
        const piece = (await pending.shift()) as Uint8Array;
        if (index + ahead < count) begin(index + ahead);
        await use(piece, index * readPieceBytes);
      }
    } finally {
      // The buffers and the file are free again.
      await Promise.allSettled(pending);
    }
  }

  async #read(tensor: Tensor, index: number, into: Uint8Array | undefined): Promise<Uint8Array> {
    const start = index * readPieceBytes;
    const length = Math.min(readPieceBytes, tensor.byteLength - start);
    const buffer = into?.subarray(start) ?? this.#buffer(index % this.#buffers.length, length);
    const piece = buffer.subarray(0, length);
    await tensor.read(start, piece);
    return piece;
  }

  #buffer(index: number, length: number): Uint8Array {
    const known = this.#buffers[index] as Uint8Array;
    if (known.length >= length) return known;
    const made = new Uint8Array(length);
    this.#buffers[index] = made;
    return made;
  }
}
