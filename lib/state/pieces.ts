/** Reading a tensor piece by piece: the next pieces come while this one is worked on. */

import type { Tensor } from "./checkpoint.js";

/**
 * A multiple of every element size. 200 MB from the system's cache of the file into a new optimizer take 43, 32, 30 and
 * 30 ms in pieces of 1, 2, 4 and 8 MiB, with 1 or 3 pieces ahead alike; from the disk it is the same within its noise.
 */
export const readPieceBytes = 2 ** 22;
/**
 * Pieces that are read ahead: as many threads of Node's pool read at once. Where other work takes the cores, whoever
 * has one finds something to do. All of a reader's buffers together stay in a cache, and are all the memory a load
 * takes.
 */
const ahead = 3;

/** Where pieces are read to. */
export interface Destination {
  /** Memory for the bytes of the tensor from `start` on. */
  lend(start: number, length: number): Uint8Array;
  /** Nobody works on it any more. */
  takeBack(piece: Uint8Array): void;
}

/** As many buffers as are lent at once. */
class Ring implements Destination {
  readonly #buffers: Uint8Array[] = Array.from({ length: ahead + 1 }, () => new Uint8Array(0));
  #next = 0;

  lend(_: number, length: number): Uint8Array {
    const index = this.#next;
    this.#next = (index + 1) % this.#buffers.length;
    const known = this.#buffers[index] as Uint8Array;
    const buffer = known.length >= length ? known : new Uint8Array(length);
    this.#buffers[index] = buffer;
    return buffer.subarray(0, length);
  }

  takeBack(): void {}
}

/** The buffers that all tensors of one load share. */
export class PieceReader {
  readonly #ring = new Ring();

  /** Calls `use` with every piece, in order; the bytes are good until it is done. */
  async each(
    tensor: Tensor,
    use: (piece: Uint8Array, start: number) => Promise<void> | void,
    destination: Destination = this.#ring,
  ): Promise<void> {
    const pending: { piece: Uint8Array; read: Promise<void> }[] = [];
    const begin = (start: number) => {
      if (start >= tensor.byteLength) return;
      const piece = destination.lend(start, Math.min(readPieceBytes, tensor.byteLength - start));
      const read = (async () => tensor.read(start, piece))();
      // `use` may throw before anybody awaits this.
      read.catch(() => undefined);
      pending.push({ piece, read });
    };
    try {
      for (let index = 0; index < ahead; index += 1) begin(index * readPieceBytes);
      for (let start = 0; start < tensor.byteLength; start += readPieceBytes) {
        const [first] = pending as [(typeof pending)[0]];
        await first.read;
        begin(start + ahead * readPieceBytes);
        await use(first.piece, start);
        pending.shift();
        destination.takeBack(first.piece);
      }
    } finally {
      // The memory and the file are free again.
      await Promise.allSettled(pending.map(({ read }) => read));
      for (const { piece } of pending) destination.takeBack(piece);
    }
  }
}
