/** Small trainings to save and load. */

import { AdamW, type AdamWOptions } from "../../lib/index.js";
import { type Case, cases, make, train } from "./cases.js";

/** With averages, accumulation and amsgrad: every kind of slot. */
export const rich = cases.find(({ name }) => name === "averages, accumulation and amsgrad") as Case;

/** A training of a case after some steps. */
export function trained(chosen: Case = rich, steps = 5) {
  const training = make(chosen);
  train(training, 0, steps);
  return training;
}

/** An optimizer over parameters p0, p1 … of these lengths, and its step. */
export function simple(options: AdamWOptions, ...lengths: number[]) {
  const optimizer = new AdamW(options);
  const values = lengths.map((length) => new Float32Array(length).fill(1));
  optimizer.build(values.map((value, i) => ({ name: `p${i}`, value })));
  const step = (scale = 1) => optimizer.apply(values.map((value) => value.map((_, i) => scale * Math.sin(i + 1))));
  return { optimizer, values, step };
}
