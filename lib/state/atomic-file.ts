/** A file that appears whole or not at all: written beside its place, flushed, renamed, the folder flushed. */

import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "./errors.js";

const longestWrite = 2 ** 26;
/** A writer touches its file all the time: one this old, of a process that is gone, was left by a crash. */
const staleAfterMs = 60_000;

export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /**
   * Runs `fill` over a new file and puts it at `path`; on any failure `path` is what it was. `beforeRename` runs when
   * the new file is safe on its disk.
   *
   * @throws FILE
   */
  static async write<T>(
    path: string,
    fill: (file: AtomicFile) => Promise<T>,
    beforeRename?: () => Promise<void>,
  ): Promise<T> {
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
    await removeStale(path);
    const handle = await open(temporary, "wx").catch((error: unknown) => {
      throw fileError(path, error);
    });
    const file = new AtomicFile(path, temporary, handle);
    try {
      const result = await fill(file);
      await file.#commit(beforeRename);
      return result;
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw fileError(path, error);
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
    await rename(this.#temporary, this.path);
    await flushFolder(dirname(this.path));
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

/** Removes what crashed writers of this file left behind. */
async function removeStale(path: string): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => []);
  const prefix = `.${basename(path)}.`;
  for (const name of names) {
    const pid = name.startsWith(prefix) && /^(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (!pid || isAlive(Number(pid))) continue;
    const left = join(folder, name);
    const age = await stat(left).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > staleAfterMs) await rm(left, { force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
