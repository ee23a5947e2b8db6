import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const loader = createRequire(import.meta.url).resolve("tsx/esm");

/** What lets another Node process run this project's TypeScript. */
export const typescriptArgv: readonly string[] = ["--import", pathToFileURL(loader).href];
