/** The signal that stops what is under way. */

import type { Kind } from "./validate.js";

/** An `AbortSignal`, whether its type comes from Node or from a browser's library. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
}

export const signalKind: Kind<StopSignal> = {
  expected: "an AbortSignal",
  // By its shape: a signal of another realm has another class.
  accepts: (value) => typeof value === "object" && value !== null && typeof Reflect.get(value, "aborted") === "boolean",
};
