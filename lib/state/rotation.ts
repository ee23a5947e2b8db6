/** Keeping the files that a new one replaces: `<path>.1` is the newest of them. */

import { constants } from "node:fs";
import { copyFile, link, rename, stat } from "node:fs/promises";

/**
 * Makes room for a new file at `path` so that `keep` files are there in all. The file at `path` itself stays until it
 * is renamed over.
 */
export async function rotate(path: string, keep: number): Promise<void> {
  if (keep < 2 || !(await exists(path))) return;
  for (let n = keep - 2; n >= 1; n -= 1) {
    if (await exists(`${path}.${n}`)) await rename(`${path}.${n}`, `${path}.${n + 1}`);
  }
  const first = `${path}.1`;
  const temporary = `${first}.tmp`;
  // A second name costs nothing; file systems without hard links get a copy.
  await link(path, temporary).catch(() => copyFile(path, temporary, constants.COPYFILE_FICLONE));
  await rename(temporary, first);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
