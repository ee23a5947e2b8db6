/** Options that saving and loading share. */

import type { Kind } from "../validate.js";
import type { Progress } from "./checkpoint.js";

export const callbackKind: Kind<(progress: Progress) => void> = {
  expected: "a function",
  accepts: (value) => typeof value === "function",
};
