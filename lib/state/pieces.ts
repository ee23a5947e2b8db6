/** Reading a tensor piece by piece: the next piece comes while this one is worked on. */

import type { Tensor } from "./checkpoint.js";

/** A multiple of every element size. Two of them are all the memory a load takes. */
export const readPieceBytes = 2 ** 23;

/** The two buffers that all tensors of one load share. */
export class PieceReader {
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];

  /** Calls `use` with every piece, in order; the bytes are good until it returns. */
  async each(tensor: Tensor, use: (piece: Uint8Array, start: number) => void): Promise<void> {
    const { byteLength } = tensor;
    let next = this.#begin(tensor, 0, 0);
    for (let start = 0, turn = 0; start < byteLength; start += readPieceBytes, turn += 1) {
      const piece = await next;
      const following = start + readPieceBytes;
      if (following < byteLength) {
        next = this.#begin(tensor, following, turn + 1);
        // `use` may throw before anybody awaits this.
        next.catch(() => undefined);
      }
      use(piece, start);
    }
    await next;
  }

  async #begin(tensor: Tensor, start: number, turn: number): Promise<Uint8Array> {
    const length = Math.min(readPieceBytes, tensor.byteLength - start);
    const piece = this.#buffer(turn % 2, length).subarray(0, length);
    if (length > 0) await tensor.read(start, piece);
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
