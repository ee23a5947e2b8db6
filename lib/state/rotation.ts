/** Keeping the files that a new one replaces: `<path>.1` is the newest of them. */

import { constants } from "node:fs";
import { copyFile, link, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { forgetTemporary, removeStale, temporaryFor } from "./temporaries.js";

/**
 * Makes room for a new file at `path` so that `keep` files are there in all. The file at `path` itself stays until it
 * is renamed over.
 */
export async function rotate(path: string, keep: number): Promise<void> {
  if (keep < 2) return;
  const [current, first] = [await find(path), `${path}.1`];
  const newest = await find(first);
  // The last save made room and got no further: renaming one name of a file to another of its names does nothing.
  if (current === null || (newest?.ino === current.ino && newest.dev === current.dev)) return;
  for (let n = keep - 2; n >= 1; n -= 1) {
    if (await find(`${path}.${n}`)) await rename(`${path}.${n}`, `${path}.${n + 1}`);
  }
  await removeStale(dirname(first), (name) => name === basename(first));
  const temporary = temporaryFor(first);
  try {
    // A second name costs nothing; other disks and file systems without hard links get a copy.
    const file = await realpath(path);
    await link(file, temporary).catch(() => copyFile(file, temporary, constants.COPYFILE_FICLONE));
    await rename(temporary, first);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    forgetTemporary(temporary);
  }
}

/** Inodes of Windows need more bits than a number has. */
async function find(path: string) {
  return stat(path, { bigint: true }).catch(() => null);
}
