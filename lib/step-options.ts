/** The options of one step. */

import { type StopSignal, signalKind } from "./abort-signal.js";
import { AdamWError } from "./errors.js";
import { parse, parseRecord, positiveFloat32 } from "./validate.js";

export interface StepOptions {
  /** Multiplies the gradients: 1 / tokens, or the weight of an uneven micro-batch. @default 1 */
  gradientScale?: number;
}

export interface AsyncStepOptions extends StepOptions {
  /** Stops the step if it has not begun; one that has begun finishes. */
  signal?: StopSignal;
}

const owner = "the step options";

/** The factor of the gradients. @throws INVALID_ARGUMENT */
export function parseStepOptions(options: StepOptions | undefined): number {
  if (options === undefined) return 1;
  const { gradientScale = 1 } = parseRecord(options, owner, ["gradientScale"]);
  return parse(positiveFloat32, gradientScale, "gradientScale");
}

/** As parseStepOptions(). @throws INVALID_ARGUMENT, ABORTED */
export function parseAsyncStepOptions(options: AsyncStepOptions | undefined): number {
  if (options === undefined) return 1;
  const { signal, ...rest } = parseRecord(options, owner, ["gradientScale", "signal"]);
  if (signal !== undefined) {
    const { aborted, reason } = parse(signalKind, signal, "signal");
    if (aborted) throw new AdamWError("ABORTED", "The step was stopped before it began", { cause: reason });
  }
  return parseStepOptions(rest);
}
