/** Gathers small pieces and passes large ones on: few calls of the system, little memory. */

import type { AtomicFile } from "./atomic-file.js";
import type { Tensor } from "./checkpoint.js";

/**
 * Bytes of one write: few enough to stay in a cache while they are gathered, summed up and written. Two buffers of this
 * size are all a save needs beside what it saves.
 */
export const pieceBytes = 2 ** 22;
/** Memory of at least so many bytes is written from where it is; smaller pieces are gathered. */
const directBytes = 2 ** 18;

/** Some of a tensor's bytes. */
export interface Range {
  readonly start?: number;
  readonly end?: number;
}

export class ByteSink {
  readonly #file: AtomicFile;
  /** One is filled while the other is written. */
  readonly #buffers = [Buffer.alloc(0), Buffer.alloc(0)];
  #current = 0;
  #filled = 0;
  #written: number;
  #pending: Promise<void> = Promise.resolve();

  constructor(file: AtomicFile, position: number) {
    this.#file = file;
    this.#written = position;
  }

  /** Where in the file the next byte goes. */
  get position(): number {
    return this.#written + this.#filled;
  }

  /**
   * Appends a tensor, or its bytes from `start` to `end`; `onPiece` sees every byte once, while the piece before is
   * being written.
   */
  async append(
    tensor: Tensor,
    onPiece: (piece: Uint8Array) => Promise<void> | void,
    { start = 0, end = tensor.byteLength }: Range = {},
  ): Promise<void> {
    while (start < end) {
      if (tensor.memory && end - start >= directBytes) {
        const piece = tensor.memory.subarray(start, Math.min(end, start + pieceBytes));
        await this.flush();
        this.#begin(piece);
        await onPiece(piece);
        start += piece.length;
        continue;
      }
      const buffer = this.#buffer();
      const piece = buffer.subarray(this.#filled, Math.min(pieceBytes, this.#filled + end - start));
      if (tensor.memory) piece.set(tensor.memory.subarray(start, start + piece.length));
      else await tensor.read(start, piece);
      this.#filled += piece.length;
      await onPiece(piece);
      start += piece.length;
      if (this.#filled === pieceBytes) await this.#turn();
    }
  }

  /** Everything appended is with the system. */
  async flush(): Promise<void> {
    if (this.#filled > 0) await this.#turn();
    await this.#pending;
  }

  /** Starts writing what was gathered. */
  async #turn(): Promise<void> {
    const piece = this.#buffer().subarray(0, this.#filled);
    this.#filled = 0;
    this.#current = 1 - this.#current;
    await this.#pending;
    this.#begin(piece);
  }

  #begin(piece: Uint8Array): void {
    this.#pending = this.#file.write(piece, this.#written);
    // Whoever awaits next gets the error; until then it is not unhandled.
    this.#pending.catch(() => undefined);
    this.#written += piece.length;
  }

  #buffer(): Buffer {
    const buffer = this.#buffers[this.#current] as Buffer;
    if (buffer.length > 0) return buffer;
    const made = Buffer.allocUnsafeSlow(pieceBytes);
    this.#buffers[this.#current] = made;
    return made;
  }
}
