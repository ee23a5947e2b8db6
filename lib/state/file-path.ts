/** Where a file is, as Node's own functions of files take it. */

import { fileURLToPath } from "node:url";
import { invalid } from "../errors.js";
import { type Kind, parse, text } from "../validate.js";

/** A `URL`, whether its type comes from Node or from a browser's library. */
export interface FileUrl {
  readonly href: string;
  readonly protocol: string;
}

/** A path, or a `file:` URL such as `new URL("./training.safetensors", import.meta.url)`. */
export type FilePath = string | FileUrl;

/** Parsed it is a string. */
export const pathKind: Kind<FilePath> = {
  expected: `${text.expected} or a file: URL`,
  accepts: (value) => text.accepts(value) || isUrl(value),
  copy(value, name) {
    const path = typeof value === "string" ? value : pathOf(value, name);
    if (path.includes("\0")) throw invalid(name, pathKind.expected, path);
    return path;
  },
};

/** By its shape: a URL of another realm has another class. */
function isUrl(value: unknown): value is FileUrl {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof Reflect.get(value, "href") === "string" &&
    typeof Reflect.get(value, "protocol") === "string"
  );
}

function pathOf({ href }: FileUrl, name: string): string {
  try {
    return fileURLToPath(href);
  } catch {
    // Of another protocol, with a host, or with an escaped slash.
    throw invalid(name, pathKind.expected, href);
  }
}

/** @throws INVALID_ARGUMENT */
export function parsePath(path: unknown): string {
  return parse(pathKind, path, "path") as string;
}
