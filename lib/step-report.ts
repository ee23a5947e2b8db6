/** What a step did. */

import { indices } from "./blocks.js";
import { native } from "./native.js";

/**
 * Null: not known, because nothing needed it (`reportNorms: true` asks for the norms) or because the micro-step only
 * accumulated.
 */
export interface StepReport {
  /** Updates so far: raw steps // accumulation steps. */
  readonly iteration: number;
  /** Raw steps so far; what schedules count. */
  readonly microStep: number;
  /** The rate of this step, before any group's multiplier. Null on micro-steps when the learning rate is a function. */
  readonly learningRate: number | null;
  /** What the gradients were divided by. */
  readonly lossScale: number;
  /** L2 norm of the unscaled, averaged gradient over all parameters, before clipping. */
  readonly globalNorm: number | null;
  /** The factor of clipping by global norm; 1 within the limit. */
  readonly clipScale: number | null;
  /** Whether every gradient was finite. */
  readonly finite: boolean | null;
  /** Whether the step was skipped: nothing but zeroed gradients has changed. */
  readonly skipped: boolean;
  /** Skipped so far. */
  readonly skippedSteps: number;
  /** Skipped since the last step that was not. */
  readonly consecutiveSkips: number;
  /**
   * With `reportNorms`: L2 norm of each parameter's gradient, in the order of build; NaN for those without one. Absent
   * on micro-steps.
   */
  readonly parameterNorms?: Float64Array;
}

const at = indices(
  native.tables.report,
  "iteration",
  "microStep",
  "learningRate",
  "lossScale",
  "globalNorm",
  "clipScale",
  "finite",
  "skipped",
  "skippedSteps",
  "consecutiveSkips",
);

/** The block that the addon wrote, and whether the step only accumulated. */
export function readReport(block: Float64Array, accumulation: number): { fields: StepReport; isMicroStep: boolean } {
  const number = (index: number) => block[index] as number;
  const known = (index: number) => {
    const value = number(index);
    return Number.isNaN(value) ? null : value;
  };
  const skipped = number(at.skipped) === 1;
  const rawStep = number(at.microStep) - (skipped ? 0 : 1);
  const isMicroStep = (rawStep + 1) % accumulation !== 0;
  const finite = known(at.finite);
  // NaN is a known norm when a gradient is not finite.
  const norm = finite === 0 && !isMicroStep ? number(at.globalNorm) : known(at.globalNorm);
  const fields = {
    iteration: number(at.iteration),
    microStep: number(at.microStep),
    learningRate: known(at.learningRate),
    lossScale: number(at.lossScale),
    globalNorm: norm,
    clipScale: known(at.clipScale),
    finite: finite === null ? null : finite === 1,
    skipped,
    skippedSteps: number(at.skippedSteps),
    consecutiveSkips: number(at.consecutiveSkips),
  };
  return { fields, isMicroStep };
}
