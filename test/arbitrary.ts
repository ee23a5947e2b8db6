/** Random runs for property tests: any mix of options, any parameters, any accidents on the way. */

import fc from "fast-check";
import type { AdamWOptions, LearningRateSchedule } from "../lib/index.js";
import { CosineDecay, PiecewiseConstantDecay } from "../lib/schedules/index.js";
import type { DynamicScale, OracleSetting } from "./oracle.js";

export interface RandomParameter {
  length: number;
  setting: OracleSetting;
}

export interface RandomStep {
  /** Parameter i misses its gradient where bit i is 0. */
  present: number;
  gradientScale: number;
  /** Put into one element of one gradient. */
  fault: { value: number; parameter: number; element: number } | null;
}

export interface RandomRun {
  options: AdamWOptions;
  dynamic: DynamicScale | undefined;
  parameters: RandomParameter[];
  steps: RandomStep[];
  seed: number;
}

const oneOf = <T>(...values: T[]) => fc.constantFrom(...values);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const rate: fc.Arbitrary<number | LearningRateSchedule> = fc.oneof(
  oneOf(0, 1e-4, 1e-3, 0.02, 0.3),
  oneOf<LearningRateSchedule>(
    new CosineDecay({ initialLearningRate: 0.001, decaySteps: 9, alpha: 0.1, warmupTarget: 0.02, warmupSteps: 4 }),
    new PiecewiseConstantDecay({ boundaries: [3, 7], values: [0.01, 0.003, 0.02] }),
  ),
);
const weightDecay = fc.oneof(
  oneOf(0, 1e-4, 0.004, 0.3),
  oneOf(new PiecewiseConstantDecay({ boundaries: [5], values: [0.1, 0.01] })),
);
const beta1 = oneOf(0, 0.01, 0.5, 0.9, 0.99);
const beta2 = oneOf(0, 0.01, 0.5, 0.9, 0.999, 0.9999);
const epsilon = oneOf(1e-3, 1e-7, 1e-8, 1e-12);

const clipping = fc.oneof(
  fc.constant({}),
  fc.record({ clipnorm: oneOf(0.5, 4, 40) }),
  fc.record({ globalClipnorm: oneOf(0.5, 8, 80) }),
  fc.record({ clipvalue: oneOf(0.01, 1) }),
);

const options = fc
  .record({
    learningRate: rate,
    weightDecay,
    beta1,
    beta2,
    epsilon,
    amsgrad: fc.boolean(),
    useEma: fc.boolean(),
    emaMomentum: oneOf(0, 0.3, 0.5, 0.9, 0.999),
    emaOverwriteFrequency: optional(oneOf(1, 2, 5)),
    emaUpdates: oneOf<"apply" | "update">("apply", "update"),
    lossScaleFactor: optional(oneOf(0.5, 3, 1024)),
    gradientAccumulationSteps: optional(oneOf(2, 3, 4)),
    formula: oneOf<"keras" | "torch">("keras", "torch"),
    maximize: fc.boolean(),
    nonFinite: oneOf<"propagate" | "skip">("propagate", "skip"),
    skipAboveNorm: optional(oneOf(20, 60)),
    zeroGradients: fc.boolean(),
    reportNorms: fc.boolean(),
  })
  .chain((plain) => clipping.map((clip): AdamWOptions => ({ ...plain, ...clip })));

const setting = fc.record(
  { learningRateMultiplier: oneOf(0.1, 3), weightDecay: oneOf(0, 0.2), beta1, beta2, epsilon, frozen: oneOf(true) },
  { requiredKeys: [] },
);

// Odd lengths, no gradient memory at all, and now and then more than one chunk.
const parameter = fc.record({
  length: fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 67 }) },
    { weight: 1, arbitrary: fc.constant(16_385) },
  ),
  setting: fc
    .oneof(fc.constant({}), setting)
    .chain((given) => fc.boolean().map((excluded) => ({ ...given, excluded }))),
});

const fault = fc.record({ value: oneOf(Number.NaN, Infinity, -Infinity), parameter: fc.nat(4), element: fc.nat(66) });
const step = fc.record({
  present: fc.oneof({ weight: 3, arbitrary: fc.constant(31) }, { weight: 1, arbitrary: fc.nat(31) }),
  gradientScale: oneOf(1, 1, 0.25, 3),
  fault: fc.oneof({ weight: 19, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fault }),
});

const dynamicScale = fc.record({
  initialScale: oneOf(0.25, 16),
  dynamicGrowthSteps: oneOf(1, 3),
  minimumScale: oneOf(0.125, 2 ** -126),
  maximumScale: oneOf(64, 2 ** 127),
});

/** At least one parameter is trained: the first is never frozen nor empty. */
export const randomRun: fc.Arbitrary<RandomRun> = fc
  .record({
    options,
    dynamic: fc.option(dynamicScale, { nil: undefined }),
    first: fc.record({ length: fc.integer({ min: 1, max: 67 }), setting: fc.constant({}) }),
    others: fc.array(parameter, { maxLength: 4 }),
    steps: fc.array(step, { minLength: 12, maxLength: 30 }),
    seed: fc.nat(),
  })
  .map(({ options: given, dynamic, first, others, steps, seed }) => ({
    // The loss scaler brings a scale of its own.
    options: dynamic ? { ...given, lossScaleFactor: null } : given,
    dynamic,
    parameters: [first, ...others],
    // No step without any gradient.
    steps: steps.map(({ present, ...rest }) => ({ ...rest, present: present | 1 })),
    seed,
  }));
