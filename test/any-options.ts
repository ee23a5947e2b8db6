/** Random options for property tests of what reads and writes them: every value that is allowed, however extreme. */

import fc from "fast-check";
import type { AdamWOptions } from "../lib/options.js";
import { WarmupLinear } from "../lib/schedules/index.js";

export function anyOptions(): fc.Arbitrary<AdamWOptions> {
  const rate = fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  const nonNegative = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  const positive = fc.double({ min: 1e-300, noNaN: true, noDefaultInfinity: true });
  const largest = (2 - 2 ** -23) * 2 ** 127;
  const nonNegativeFloat32 = fc.double({ min: 0, max: largest, noNaN: true }).map((value) => value + 0);
  const positiveFloat32 = fc.double({ min: 2 ** -149, max: largest, noNaN: true });
  const divisorFloat32 = fc.double({ min: 2 ** -127, max: largest, noNaN: true });
  const beta = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((value) => value + 0);
  const schedule = fc
    .record({ warmupTarget: nonNegative, warmupSteps: nonNegative, decaySteps: positive })
    .map((options) => new WarmupLinear(options));
  const count = fc.option(fc.oneof(fc.constant(0), fc.integer({ min: 2 })));
  const name = fc.string({ minLength: 1 });
  const pattern = fc.constantFrom(/bias$/, /norm/i, /^a\/b/gsu);
  const group = fc.record(
    {
      match: fc.oneof(name, pattern, fc.record({ rank: fc.nat() }), fc.record({ maxRank: fc.nat() })),
      learningRateMultiplier: nonNegative,
      weightDecay: nonNegativeFloat32,
      beta1: beta,
      beta2: beta,
      epsilon: nonNegativeFloat32,
      frozen: fc.boolean(),
      optional: fc.boolean(),
    },
    { requiredKeys: ["match"] },
  );
  const options = fc.record(
    {
      name,
      learningRate: fc.oneof(rate, schedule),
      weightDecay: fc.oneof(nonNegativeFloat32, schedule),
      useEma: fc.boolean(),
      emaMomentum: beta,
      emaOverwriteFrequency: count,
      lossScaleFactor: fc.option(divisorFloat32),
      gradientAccumulationSteps: count,
      beta1: beta,
      beta2: beta,
      epsilon: nonNegativeFloat32,
      amsgrad: fc.boolean(),
      formula: fc.constantFrom("keras", "torch"),
      maximize: fc.boolean(),
      nonFinite: fc.constantFrom("propagate", "skip", "throw"),
      skipAboveNorm: fc.option(positive),
      zeroGradients: fc.boolean(),
      emaUpdates: fc.constantFrom("apply", "update"),
      reportNorms: fc.boolean(),
      groups: fc.array(group, { maxLength: 3 }),
      excludeFromWeightDecay: fc.option(
        fc.record({ names: fc.array(pattern, { maxLength: 2 }), parameters: fc.array(name, { maxLength: 2 }) }),
      ),
    },
    { requiredKeys: ["learningRate"] },
  );
  const clip = fc.oneof(
    fc.record({ clip: fc.constantFrom("clipnorm", "globalClipnorm"), limit: fc.option(positive) }),
    fc.record({ clip: fc.constant("clipvalue"), limit: fc.option(positiveFloat32) }),
  );
  return fc.tuple(options, clip).map(([given, { clip, limit }]) => ({ ...given, [clip]: limit }) as AdamWOptions);
}
