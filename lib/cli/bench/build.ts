/** Builds of the library: this one, and another checkout or installed version. */

import { existsSync, readFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isRecord } from "../../validate.js";
import { CommandError } from "../exit.js";

export interface Build {
  /** As the result names it. */
  readonly name: string;
  /** The file to import. */
  readonly index: string;
}

/** What this build is called; another has its version and its place in its name. */
export const ownName = "fused-adamw";

export const thisBuild: Build = {
  name: ownName,
  index: fileURLToPath(new URL(`../../index${extname(import.meta.url)}`, import.meta.url)),
};

/**
 * The build in a checkout, in an installed package's folder, or in the node_modules of a project.
 *
 * @throws CommandError
 */
export function findBuild(path: string): Build {
  const installed = join(path, "node_modules/fused-adamw");
  const folder = resolve(existsSync(installed) ? installed : path);
  const manifest = readManifest(join(folder, "package.json"));
  if (manifest?.name !== "fused-adamw") {
    throw new CommandError(
      "usage",
      `Expected a folder with a build of fused-adamw for --against but received "${path}"`,
    );
  }
  const index = join(folder, "dist/index.js");
  if (!existsSync(index)) {
    throw new CommandError("missing", `${folder} is not built: run \`npm ci && npm run build\` there`);
  }
  return { name: `${manifest.version} in ${path}`, index };
}

function readManifest(file: string): Record<string, unknown> | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isRecord(manifest) ? manifest : undefined;
  } catch {
    return undefined;
  }
}
