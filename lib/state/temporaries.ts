/** The names of files that are being written, and what is left of those whose writers are gone. */

import { createHash, randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

/** A writer touches its file all the time: one this old, of a process that is gone, was left by a crash. */
const staleAfterMs = 60_000;
/** As old as this, it was left by a crash wherever it was: another host's processes cannot be asked for. */
const staleAnywhereAfterMs = 3_600_000;

/** Hosts share folders, so a process number says little without one; short, since names are limited to 255 bytes. */
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const pattern = /^\.(.+)\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8}\.tmp$/s;
/** Those being written by this thread. */
const own = new Set<string>();

/** A name beside `path`, hidden; it is to be given back to `forgetTemporary`. */
export function temporaryFor(path: string): string {
  const name = `.${basename(path)}.${host}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  own.add(name);
  return join(dirname(path), name);
}

export function forgetTemporary(temporary: string): void {
  own.delete(basename(temporary));
}

/** Removes what crashed writers left in a folder of the files whose names are `chosen`. */
export async function removeStale(folder: string, chosen: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, target = "", its = "", pid = ""] = pattern.exec(name) ?? [];
    if (target === "" || !chosen(target) || own.has(name)) continue;
    const path = join(folder, name);
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    const limit = its === host && isGone(Number(pid), changed) ? staleAfterMs : staleAnywhereAfterMs;
    if (Date.now() - changed > limit) await rm(path, { force: true }).catch(() => undefined);
  }
}

/**
 * Whether the writer of a file last changed then is no more. A container that is started again gives its processes the
 * numbers they had, so this process' own number may be that of an earlier one.
 */
function isGone(pid: number, changed: number): boolean {
  if (pid === process.pid) return changed < Date.now() - process.uptime() * 1000;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
}
