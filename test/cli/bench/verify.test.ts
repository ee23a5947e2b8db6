import { expect } from "chai";
import { BenchMemory } from "../../../lib/cli/bench/memory.js";
import { verify } from "../../../lib/cli/bench/verify.js";
import { CommandError } from "../../../lib/cli/exit.js";
import { parseWork } from "../../../lib/cli/work.js";
import { AdamW, type AdamWOptions, schedules } from "../../../lib/index.js";

/** Checks an optimizer that has `actual` options as if it had `claimed` ones. */
async function check(claimed: AdamWOptions, actual: AdamWOptions = claimed): Promise<void> {
  const memory = new BenchMemory(parseWork("mlp"));
  using optimizer = new AdamW(actual).build(memory.parameters);
  await verify(optimizer, claimed, memory);
}

describe("the check against float64", () => {
  const sets: [what: string, options: AdamWOptions][] = [
    ["the defaults", {}],
    ["PyTorch's formula", { formula: "torch", amsgrad: true }],
    ["schedules", { learningRate: new schedules.CosineDecay({ initialLearningRate: 0.01, decaySteps: 5 }) }],
    ["a window of 3", { gradientAccumulationSteps: 3, globalClipnorm: 0.1, useEma: true }],
    ["an average that moves with updates", { gradientAccumulationSteps: 2, useEma: true, emaUpdates: "update" }],
    ["overwritten parameters", { useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 3 }],
    ["zeroed gradients", { zeroGradients: true, clipvalue: 1e-3 }],
    ["no decay on biases", { excludeFromWeightDecay: { names: ["bias"] }, weightDecay: 0.5, learningRate: 0.1 }],
  ];
  for (const [what, options] of sets) it(`accepts ${what}`, () => check(options));

  const wrong: [what: string, claimed: AdamWOptions, actual: AdamWOptions][] = [
    ["another formula", { epsilon: 1e-3 }, { epsilon: 1e-3, formula: "torch" }],
    ["a missing clip", { clipnorm: 1e-3 }, {}],
    ["no decay", { weightDecay: 0.1 }, { weightDecay: 0 }],
    ["another β₂", { beta2: 0.9 }, { beta2: 0.91 }],
    ["a rate 0.1 % too large", { learningRate: 1e-2 }, { learningRate: 1.001e-2 }],
    ["a lost micro-step", { gradientAccumulationSteps: 2 }, { gradientAccumulationSteps: 3 }],
  ];
  for (const [what, claimed, actual] of wrong) {
    it(`finds ${what}`, async () => {
      const error = await check(claimed, actual).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.instanceOf(CommandError).with.property("exitCode", 1);
      expect((error as Error).message).to.contain("is wrong: mlp/0/weight[0]");
    });
  }
});
