/** Making folders. */

import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder, and those it is in, where they are missing. Node's own `recursive` never returns where a folder is
 * there and can hold no other, as in /proc: it takes the folder for missing for ever.
 *
 * @returns whether the folder was missing
 * @throws what the system says
 */
export function makeFolder(folder: string): boolean {
  try {
    return make(folder);
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === folder) throw error;
    makeFolder(parent);
    return make(folder);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // what mkdir said is told
  }
}

function make(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    // Systems differ in what they say of one that is there.
    if (isFolder(folder)) return false;
    throw error;
  }
}
