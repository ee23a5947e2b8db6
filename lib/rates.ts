/** The learning rate and the weight decay of each step: a number, a schedule, or a function. */

import { AdamWError, invalid } from "./errors.js";
import { type LearningRate, learningRateKind } from "./options.js";
import { isSchedule } from "./schedules/schedule.js";
import { nonNegativeFloat32, parse } from "./validate.js";

/** The value for raw iteration `step`. @throws INVALID_ARGUMENT when it is no finite number ≥ 0 in float32 */
export function rateAt(rate: LearningRate, step: number, name: string): number {
  if (typeof rate === "number") return rate;
  const value = typeof rate === "function" ? rate() : rate.at(step);
  if (nonNegativeFloat32.accepts(value)) return value;
  throw invalid(`${name} at iteration ${step}`, nonNegativeFloat32.expected, value);
}

/**
 * What an assignment to `learningRate` makes of the rate, by Keras' rules: a number replaces a number; a schedule or a
 * function replaces anything; a computed rate cannot be set to a number.
 */
export function replaceRate(current: LearningRate, next: LearningRate): LearningRate {
  const rate = parse(learningRateKind, next, "learningRate");
  if (typeof rate !== "number" || typeof current === "number") return rate;
  const message = `Expected a schedule or a function for learningRate, since it is ${isSchedule(current) ? "a schedule" : "a function"} now, but received ${next}`;
  throw new AdamWError("INVALID_ARGUMENT", message);
}
