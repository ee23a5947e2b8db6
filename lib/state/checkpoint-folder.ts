/** A folder of checkpoints: which are there, which is the newest, which are old. */

import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AtomicFile } from "./atomic-file.js";
import { CheckpointError, fileError, isMissing } from "./errors.js";
import { makeFolder } from "./folders.js";
import { indexName } from "./own-format.js";
import { removeStale } from "./temporaries.js";
import { manifestName } from "./tfjs-reader.js";

/** Names sort by iteration: the numbers are of one length. */
const pattern = /^checkpoint-(\d{12})(?:\.safetensors)?$/;
const pointer = "latest";

/** Checkpoints are called by their names in the folder. */
export class CheckpointFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** What the checkpoint of an iteration is called: a folder of files, or one file. */
  nameOf(iteration: number, isSharded: boolean): string {
    return `checkpoint-${String(iteration).padStart(12, "0")}${isSharded ? "" : ".safetensors"}`;
  }

  /** Makes the folder where it is missing. @throws FILE */
  make(): void {
    try {
      makeFolder(this.path);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Newest first; a folder that a save never finished is none. @throws FILE */
  async checkpoints(): Promise<string[]> {
    const names = await this.#names();
    const finished = await Promise.all(names.map((name) => isFinished(this.pathOf(name))));
    return names.filter((_, i) => finished[i]);
  }

  /**
   * The same, but the one that was saved last comes first, whatever its number; `gone` is an error that names it where
   * it is not there any more. @throws FILE
   */
  async inOrder(): Promise<{ readonly names: readonly string[]; readonly gone: CheckpointError | undefined }> {
    const names = await this.checkpoints();
    const latest = await this.#latest();
    if (latest === "" || names.includes(latest)) {
      return { names: names.toSorted((a, b) => Number(b === latest) - Number(a === latest)), gone: undefined };
    }
    const problem = `the file ${pointer} beside it says that this is the newest checkpoint, and it is gone or lacks its index: put that back, or remove ${pointer} for a fresh start`;
    return { names, gone: new CheckpointError(this.pathOf(latest), problem) };
  }

  /** The name of the checkpoint that was saved last; empty before the first. @throws FILE */
  async #latest(): Promise<string> {
    try {
      return (await readFile(this.pathOf(pointer), "utf8")).trim();
    } catch (error) {
      if (isMissing(error)) return "";
      throw fileError(this.pathOf(pointer), error);
    }
  }

  /** Makes the checkpoint the latest. @throws FILE */
  async point(name: string): Promise<void> {
    await AtomicFile.write(this.pathOf(pointer), (file) => file.write(Buffer.from(`${name}\n`), 0));
  }

  /**
   * Removes the checkpoints before the newest one but for `keep - 1`, and what was never finished or left by a crash.
   */
  async prune(newest: string, keep: number): Promise<void> {
    const whole = (await this.checkpoints()).filter((other) => other < newest);
    const unfinished = (await this.#names()).filter((other) => other < newest && !whole.includes(other));
    for (const old of [...whole.slice(keep - 1), ...unfinished]) {
      await rm(this.pathOf(old), { recursive: true, force: true });
    }
    await removeStale(this.path, (left) => pattern.test(left));
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw fileError(this.path, error);
    });
    return names
      .filter((name) => pattern.test(name))
      .sort()
      .reverse();
  }
}

/** A folder of files is a checkpoint from the moment on in which its index is there. */
async function isFinished(path: string): Promise<boolean> {
  // Only what is known to be missing is: a file system with a fault must not have whole checkpoints removed.
  const isThere = (name: string) =>
    stat(join(path, name)).then(
      () => true,
      (error) => !isMissing(error),
    );
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return !isFolder || (await Promise.all([indexName, manifestName].map(isThere))).includes(true);
}
