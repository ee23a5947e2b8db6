/** Blocks of numbers that go to the addon and come from it: each number has the place that the addon gives its name. */

import { AdamWError } from "./errors.js";
import { native } from "./native.js";

const { tables } = native;

/** Packs the named numbers in the addon's order; TypeScript and C++ name the same fields or this throws. */
export function pack(names: readonly string[], record: Readonly<Record<string, number>>): Float64Array {
  const block = new Float64Array(names.length);
  names.forEach((name, i) => {
    const value = record[name];
    if (value === undefined) throw new AdamWError("NATIVE", `The addon expects ${name}: it is of another version`);
    block[i] = value;
  });
  return block;
}

/** Where each named field stands in its block. */
export function indices<Name extends string>(names: readonly string[], ...wanted: Name[]): Record<Name, number> {
  const entries = wanted.map((name) => {
    const index = names.indexOf(name);
    if (index < 0) throw new AdamWError("NATIVE", `The addon does not know ${name}: it is of another version`);
    return [name, index];
  });
  return Object.fromEntries(entries) as Record<Name, number>;
}

export const controlAt = indices(tables.controls, "learningRate", "weightDecay", "gradientScale");

/** The blocks of numbers that the addon reads before a step and writes after it. */
export class Blocks {
  readonly controls: Float64Array = new Float64Array(tables.controls.length);
  readonly report: Float64Array = new Float64Array(tables.report.length);
  /** Step, learning rate and weight decay of each raw step that a step issued ahead may turn out to be. */
  readonly rates: Float64Array = new Float64Array(3 * native.foreseen);
}
