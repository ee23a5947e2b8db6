/** A file read in ranges, whatever its size. */

import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError, fileError } from "./errors.js";

/** One call of the system never asks for more: a short read costs little, and Node limits a read to 2 GiB. */
const largestRead = 2 ** 26;

export class ByteFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /** @throws FILE */
  static async open(path: string): Promise<ByteFile> {
    try {
      const handle = await open(path, "r");
      const { size } = await handle.stat();
      return new ByteFile(path, size, handle);
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Fills `into` with the bytes from `offset` on. @throws CHECKPOINT when the file ends before, FILE */
  async read(offset: number, into: Uint8Array): Promise<void> {
    let done = 0;
    while (done < into.length) {
      const wanted = Math.min(into.length - done, largestRead);
      const { bytesRead } = await this.#handle.read(into, done, wanted, offset + done).catch((error: unknown) => {
        throw fileError(this.path, error);
      });
      if (bytesRead === 0) {
        const problem = `the file ends where ${into.length - done} bytes more are expected`;
        throw new CheckpointError(this.path, problem, { offset: offset + done });
      }
      done += bytesRead;
    }
  }

  async bytes(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    await this.read(offset, buffer);
    return buffer;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
