/** The first steps of a few elements in float64: a contestant that disagrees is not timed. */

import { oracle } from "../../lib/cli/bench/oracle.js";
import { resolveOptions } from "../../lib/options.js";
import { type Case, hyper } from "./cases.js";
import { gradientAt, parameterAt } from "./inputs.js";

/** What a contestant does differently from our own defaults. */
export interface Convention {
  /** Where epsilon stands: before the bias correction (Keras) or after it (PyTorch). */
  readonly formula: "keras" | "torch";
  /** False: it has no weight decay. */
  readonly decays: boolean;
  /** False: in a pipeline it gets the same gradients again instead of finding zeros. */
  readonly zeroes: boolean;
}

export interface Place {
  readonly row: number;
  readonly index: number;
}

/** Steps before the comparison: the second one finds moments that are not zero. */
export const verifiedSteps = 2;
/** Two roundings of numbers up to 0.5, and what peers lose in float32 scalars, of updates of about 1e-4. */
export const tolerance = 2.5e-7;

/** Both ends and three elements between them, of at most forty tensors. */
export function samplePlaces({ lengths }: Case): Place[] {
  const stride = Math.ceil(lengths.length / 40);
  return lengths.flatMap((length, row) => {
    if (row % stride !== 0) return [];
    const indices = [0, 0.31, 0.5, 0.87, 1].map((part) => Math.floor(part * (length - 1)));
    return [...new Set(indices)].map((index) => ({ row, index }));
  });
}

const norms = new Map<readonly number[], number>();

/** L2 norm of all gradients, computed once for a case. */
function globalNorm(lengths: readonly number[]): number {
  const known = norms.get(lengths);
  if (known !== undefined) return known;
  let sum = 0;
  lengths.forEach((length, row) => {
    for (let i = 0; i < length; i += 1) sum += gradientAt(row, i) ** 2;
  });
  norms.set(lengths, Math.sqrt(sum));
  return Math.sqrt(sum);
}

/** The parameters at `places` after `verifiedSteps` steps: by the oracle of `fused-adamw bench --check`. */
export function expectedValues({ work, lengths }: Case, convention: Convention, places: readonly Place[]): number[] {
  const { lossScale, globalClipnorm, weightDecay, ...adam } = hyper;
  const { formula, decays, zeroes } = convention;
  const pipeline = work === "pipeline" && { lossScaleFactor: lossScale, globalClipnorm, zeroGradients: zeroes };
  // The average of the pipeline changes no parameter.
  const { emaMomentum: _, ...common } = { ...adam, formula, weightDecay: decays ? weightDecay : 0 };
  const options = resolveOptions({ ...common, ...pipeline });
  const setting = { ...adam, multiplier: 1, weightDecay: null, frozen: false };
  const norm = pipeline ? globalNorm(lengths) : 0;
  const input = { options, setting, scales: new Array(verifiedSteps).fill(1), norm, globalNorm: norm };
  return places.map(({ row, index }) => oracle(input, parameterAt(row, index), gradientAt(row, index)).value);
}
