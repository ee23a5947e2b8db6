/** A file that appears whole or not at all: written beside its place, flushed, renamed, the folder flushed. */

import { type FileHandle, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileError } from "./errors.js";
import { forgetTemporary, removeStale, temporaryFor } from "./temporaries.js";

const longestWrite = 2 ** 26;
const permissions = 0o777;

export class AtomicFile {
  readonly #target: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;

  private constructor(target: string, temporary: string, handle: FileHandle) {
    this.#target = target;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /**
   * Runs `fill` over a new file and puts it at `path`, with the permissions of the file that is there; on any failure
   * `path` is what it was. A symbolic link stays, and what it points at is replaced. `beforeRename` runs when the new
   * file is safe on its disk.
   *
   * @throws FILE
   */
  static async write<T>(
    path: string,
    fill: (file: AtomicFile) => Promise<T>,
    beforeRename?: () => Promise<void>,
  ): Promise<T> {
    const target = await targetOf(path).catch((error: unknown) => {
      throw fileError(path, error);
    });
    await removeStale(dirname(target), (name) => name === basename(target));
    const temporary = temporaryFor(target);
    const mode = await stat(target).then(
      (found) => found.mode & permissions,
      () => undefined,
    );
    const handle = await open(temporary, "wx", mode).catch((error: unknown) => {
      forgetTemporary(temporary);
      throw fileError(path, error);
    });
    const file = new AtomicFile(target, temporary, handle);
    try {
      // What the process' mask took away; where a file system has no permissions, there is nothing to keep.
      if (mode !== undefined) await handle.chmod(mode).catch(() => undefined);
      const result = await fill(file);
      await file.#commit(beforeRename);
      return result;
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw fileError(path, error);
    } finally {
      forgetTemporary(temporary);
    }
  }

  /** Writes all of `bytes`, however many the system takes at once. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const length = Math.min(bytes.length - done, longestWrite);
      const { bytesWritten } = await this.#handle.write(bytes, done, length, position + done);
      done += bytesWritten;
    }
  }

  async #commit(beforeRename: (() => Promise<void>) | undefined): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
    await beforeRename?.();
    await rename(this.#temporary, this.#target);
    await flushFolder(dirname(this.#target));
  }
}

/** Where the file is, or will be, that `path` names. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const link = await readlink(path).catch(() => null);
    return link === null ? path : targetOf(resolve(dirname(path), link));
  }
}

/** Makes renames in the folder last; Windows cannot and need not. */
export async function flushFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
