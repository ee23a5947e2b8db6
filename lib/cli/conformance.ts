/** The core of the conformance suite: every device must leave the bits that cpu:scalar leaves on one thread. */

import { AdamW } from "../adamw.js";
import type { AdamWOptions } from "../options.js";
import type { Variable } from "../variables.js";
import { randomWords, unit } from "./random.js";

export interface Scenario {
  readonly name: string;
  readonly options: AdamWOptions;
  /** One gradient element in so many is NaN, infinite, subnormal or a zero of either sign. @default none */
  readonly specialShare?: number;
}

/** Options that together run every kernel: each memory stream, both formulas, each kind of clipping and skipping. */
export const scenarios: readonly Scenario[] = [
  { name: "defaults", options: {} },
  { name: "torch formula, maximize", options: { formula: "torch", maximize: true } },
  { name: "amsgrad, clip by value", options: { amsgrad: true, clipvalue: 0.3 } },
  { name: "global clip, average, zero gradients", options: { globalClipnorm: 1, useEma: true, zeroGradients: true } },
  { name: "own clip, accumulation of 3", options: { clipnorm: 0.5, gradientAccumulationSteps: 3 } },
  {
    name: "everything that is kept",
    options: {
      amsgrad: true,
      useEma: true,
      gradientAccumulationSteps: 2,
      emaOverwriteFrequency: 2,
      globalClipnorm: 0.7,
    },
  },
  { name: "special values reach parameters", options: { amsgrad: true, useEma: true }, specialShare: 50 },
  { name: "non-finite steps are skipped", options: { nonFinite: "skip", lossScaleFactor: 1024 }, specialShare: 5000 },
  {
    name: "groups, no decay on biases",
    options: {
      groups: [
        { match: "p1*/weight", learningRateMultiplier: 0.1, beta2: 0.9999 },
        { match: { maxRank: 1 }, weightDecay: 0, optional: true },
      ],
    },
  },
];

/** Around every width of a vector, a run of the norm, and a chunk; the last is large enough for several threads. */
const lengths = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 255, 257, 4097, 16383, 16385, 70001];
const steps = 5;
const specials = [Number.NaN, Infinity, -Infinity, -0, 0, 2 ** -149, -(2 ** -130), 3.4e38, 1e-30];

/** A named array of what a run left behind. */
interface Section {
  readonly name: string;
  readonly values: Variable["value"] | Float64Array;
}

/** Runs a scenario; `threads` undefined: the default. */
export async function trace(scenario: Scenario, device: string, threads?: number): Promise<Section[]> {
  const words = randomWords(0xada3);
  const parameters = lengths.map((length, i) => ({
    name: `p${i}/weight`,
    // An offset moves the arrays off the alignment that allocation gives them.
    value: Float32Array.from({ length: length + (i % 3) }, () => unit(words())).subarray(i % 3),
  }));
  const optimizer = new AdamW({ learningRate: 0.01, ...scenario.options }, { device, threads });
  optimizer.build(parameters);
  const sections: Section[] = [];
  for (let step = 0; step < steps; step += 1) {
    const gradients = lengths.map((length, i) => (i % 5 === step ? null : gradient(length, words, scenario)));
    const report = await optimizer.applyAsync(gradients);
    sections.push(section(`the report of step ${step + 1}`, Object.values(report).map(Number)));
    const left = gradients.flatMap((array, i) =>
      array ? [{ name: `gradient ${i} of step ${step + 1}`, values: array }] : [],
    );
    sections.push(...left);
  }
  optimizer.synchronize();
  sections.push(...parameters.map(({ name, value }) => ({ name, values: value })));
  sections.push(...optimizer.variables.map(({ path, value }) => ({ name: path, values: value })));
  optimizer.dispose();
  return sections;
}

function section(name: string, numbers: readonly number[]): Section {
  return { name, values: Float64Array.from(numbers) };
}

function gradient(length: number, words: () => number, { specialShare }: Scenario): Float32Array {
  return Float32Array.from({ length }, () => {
    const [word, choice] = [words(), words()];
    if (specialShare !== undefined && choice % specialShare === 0) return specials[word % specials.length]!;
    return unit(word) * 2 ** ((choice % 24) - 20);
  });
}

/** The first place where two runs differ in a bit, NaN payloads aside; undefined when they are equal. */
export function firstDifference(expected: readonly Section[], actual: readonly Section[]): string | undefined {
  for (const [i, { name, values }] of expected.entries()) {
    const others = actual[i]?.values;
    const at = others ? values.findIndex((value: number, j: number) => !Object.is(value, others[j])) : 0;
    if (at >= 0) return `${name}[${at}] is ${others?.[at]}, expected ${values[at]}`;
  }
  return undefined;
}
