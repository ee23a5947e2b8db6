/** Finds and loads the .node file. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** A place where the addon may be. */
export interface BinaryCandidate {
  readonly file: string;
  /** Why it is not used; undefined for the one that is. */
  readonly failure: string | undefined;
}

export interface LoadedBinary {
  /** What the addon exports; undefined when none could be loaded. */
  readonly exports: unknown;
  readonly candidates: readonly BinaryCandidate[];
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What `fused-adamw build` runs: builds the addon from whatever folder it is typed in. */
export const buildScript = `npm run build:native --prefix "${root}"`;
/** What a user types. */
const buildCommand = "npx fused-adamw build";

/** Names a file of the user's own, in place of all others. */
const variable = "FUSED_ADAMW_BINDING";
const isNamed = () => Boolean(process.env[variable]);

/** What helps where no addon can be loaded. */
export function remedy(): string {
  if (isNamed()) {
    return `Unset ${variable} to use the build of this installation (${buildCommand} makes one), or correct it.`;
  }
  return `Build it (Python 3, make and a C++17 compiler are needed):\n  ${buildCommand}\nor name a built one in ${variable}.`;
}

/** Where the addon may be, first match wins. */
function places(): string[] {
  const own = process.env[variable];
  if (own) return [resolve(own)];
  const built = ["build", "build-cmake"].map((folder) => join(root, folder, "Release/fused_adamw.node"));
  const prebuilds = join(root, "prebuilds");
  return existsSync(prebuilds) ? [...built, join(prebuilds, `${platform()}.node`)] : built;
}

/** "linux-x64"; "linuxmusl-x64" where the C library is musl, which only the report tells, in some 10 ms. */
function platform(): string {
  const usesMusl = () => !("glibcVersionRuntime" in (process.report.getReport() as { header: object }).header);
  const library = process.platform === "linux" && usesMusl() ? "musl" : "";
  return `${process.platform}${library}-${process.arch}`;
}

/** Loads the first candidate that can be loaded, and says of all others why they are not used. */
export function loadBinary(): LoadedBinary {
  const require = createRequire(import.meta.url);
  const candidates: BinaryCandidate[] = [];
  let exports: unknown;
  for (const file of places()) {
    let failure: string | undefined;
    if (!existsSync(file)) {
      failure = "no such file";
    } else if (exports !== undefined) {
      failure = "not needed";
    } else {
      try {
        const found = require(file) as { setErrorClass?: unknown };
        if (typeof found.setErrorClass === "function") exports = found;
        else failure = "not the addon of fused-adamw";
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
    }
    // Nobody looks for the variable who has forgotten it.
    const origin = isNamed() && failure !== undefined ? ` (${variable} names it)` : "";
    candidates.push({ file, failure: failure && `${failure}${origin}` });
  }
  return { exports, candidates };
}
