/** Several files read as one. */

import type { ByteSource } from "./byte-file.js";
import { CheckpointError } from "./errors.js";

export class JoinedSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  /** In their order, with the place where each begins. */
  readonly #parts: readonly { readonly source: ByteSource; readonly start: number }[];

  constructor(path: string, sources: readonly ByteSource[]) {
    let start = 0;
    this.path = path;
    this.#parts = sources.map((source) => {
      const part = { source, start };
      start += source.size;
      return part;
    });
    this.size = start;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    if (offset + into.length > this.size) {
      const missing = offset + into.length - this.size;
      throw new CheckpointError(this.path, `the data ends where ${missing} bytes more are expected`);
    }
    let done = 0;
    for (let i = this.#indexOf(offset); done < into.length; i += 1) {
      const { source, start } = this.#parts[i] as { source: ByteSource; start: number };
      const from = offset + done - start;
      const length = Math.min(into.length - done, source.size - from);
      if (length > 0) await source.read(from, into.subarray(done, done + length));
      done += length;
    }
  }

  async close(): Promise<void> {
    for (const { source } of this.#parts) await source.close();
  }

  /** The last part that begins at `offset` or before: binary search. */
  #indexOf(offset: number): number {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#parts[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
