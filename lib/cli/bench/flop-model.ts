/** The arithmetic of a step, for the roofline: a multiply-add counts as two, a division or a root as one. */

import type { AdamWOptions } from "../../options.js";

const terms: readonly [operations: number, wanted: (options: AdamWOptions) => boolean][] = [
  [2, () => true], // unscale and average
  [3, () => true], // momentum: a difference, a multiply-add
  [4, () => true], // velocity: two multiply-adds
  [4, () => true], // root, correction and epsilon, division
  [4, () => true], // decay and update
  [1, ({ amsgrad }) => amsgrad === true],
  [3, ({ useEma }) => useEma === true],
  [1, ({ gradientAccumulationSteps }) => (gradientAccumulationSteps ?? 0) > 1],
  [2, ({ globalClipnorm, clipnorm }) => globalClipnorm != null || clipnorm != null], // the sum of squares
];

/** Operations per parameter and update. */
export function flopModel(options: AdamWOptions): number {
  return terms.reduce((sum, [operations, wanted]) => sum + (wanted(options) ? operations : 0), 0);
}
