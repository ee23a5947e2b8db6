/** What package.json says of this package. */

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("../../package.json", import.meta.url));
const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };

export const packageRoot = dirname(file);
export const packageVersion = version;
