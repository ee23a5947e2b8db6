/** The first steps of a few elements in float64: a contestant that disagrees is not timed. */

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

/** The parameters at `places` after `verifiedSteps` steps. */
export function expectedValues({ work, lengths }: Case, convention: Convention, places: readonly Place[]): number[] {
  const { learningRate, weightDecay, beta1, beta2, epsilon, lossScale, globalClipnorm } = hyper;
  const pipeline = work === "pipeline";
  const norm = pipeline ? globalNorm(lengths) / lossScale : 0;
  const scale = pipeline ? Math.min(1, globalClipnorm / norm) / lossScale : 1;
  return places.map(({ row, index }) => {
    let p = parameterAt(row, index);
    let m = 0;
    let v = 0;
    for (let t = 1; t <= verifiedSteps; t += 1) {
      const g = t > 1 && pipeline && convention.zeroes ? 0 : gradientAt(row, index) * scale;
      m += (1 - beta1) * (g - m);
      v += (1 - beta2) * (g * g - v);
      const correction1 = 1 - beta1 ** t;
      const correction2 = Math.sqrt(1 - beta2 ** t);
      const update =
        convention.formula === "keras"
          ? (m * correction2) / correction1 / (Math.sqrt(v) + epsilon)
          : m / correction1 / (Math.sqrt(v) / correction2 + epsilon);
      p -= learningRate * ((convention.decays ? weightDecay * p : 0) + update);
    }
    return p;
  });
}
