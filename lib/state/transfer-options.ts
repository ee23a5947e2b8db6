/** Options that saving and loading share. */

import { invalid } from "../errors.js";
import { type Kind, text } from "../validate.js";
import type { Progress } from "./checkpoint.js";

export const callbackKind: Kind<(progress: Progress) => void> = {
  expected: "a function",
  accepts: (value) => typeof value === "function",
};

/** @throws INVALID_ARGUMENT */
export function parsePath(path: unknown): string {
  if (typeof path !== "string" || path === "" || path.includes("\0")) throw invalid("path", text.expected, path);
  return path;
}
