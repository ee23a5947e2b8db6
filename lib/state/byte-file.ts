/** A file read in ranges, whatever its size. */

import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError, fileError } from "./errors.js";

/** One call of the system never asks for more: a short read costs little, and Node limits a read to 2 GiB. */
const largestRead = 2 ** 26;

/** Bytes read in ranges: a file, or memory that stands for one. */
export interface ByteSource {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on. @throws CHECKPOINT when they end before, FILE */
  read(offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function readBytes(source: ByteSource, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await source.read(offset, buffer);
  return buffer;
}

function endError(path: string, offset: number, missing: number): CheckpointError {
  return new CheckpointError(path, `the file ends where ${missing} bytes more are expected`, { offset });
}

/** A file whose content is in memory. */
export class ByteMemory implements ByteSource {
  readonly path: string;
  readonly #bytes: Uint8Array;

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const missing = offset + into.length - this.#bytes.length;
    if (missing > 0) throw endError(this.path, this.#bytes.length, missing);
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  async close(): Promise<void> {}
}

export class ByteFile implements ByteSource {
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

  async read(offset: number, into: Uint8Array): Promise<void> {
    let done = 0;
    while (done < into.length) {
      const wanted = Math.min(into.length - done, largestRead);
      const { bytesRead } = await this.#handle.read(into, done, wanted, offset + done).catch((error: unknown) => {
        throw fileError(this.path, error);
      });
      if (bytesRead === 0) throw endError(this.path, offset + done, into.length - done);
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
