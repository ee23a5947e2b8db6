import { expect } from "chai";
import { AdamW, type AdamWOptions, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";
import { simple } from "./trainings.js";

describe("loading into other options", () => {
  const file = temporaryFolder();

  it("wants the same options, or to be told to keep its own", async () => {
    const { optimizer, step } = simple({ beta1: 0.8, globalClipnorm: 1 }, 3);
    step();
    await optimizer.save(file("options"));
    const other = simple({ beta1: 0.9, name: "other" }, 3);
    await rejectsLater(
      "CHECKPOINT",
      other.optimizer.load(file("options")),
      "beta1 is 0.8 in the file and 0.9 here",
      "globalClipnorm is 1 in the file and null here",
      'config: "keep"',
    );
    expect(other.optimizer.iterations).to.equal(0);
    await other.optimizer.load(file("options"), { config: "keep" });
    expect(other.optimizer.iterations).to.equal(1);
    const scaled = new LossScaleOptimizer(new AdamW({ beta1: 0.8, globalClipnorm: 1 }));
    scaled.build([{ name: "p0", value: new Float32Array(3) }]);
    await rejectsLater("CHECKPOINT", scaled.load(file("options")), "the optimizer is AdamW in the file");
    await scaled.load(file("options"), { config: "keep" });
    expect(scaled.lossScale).to.equal(2 ** 15);
    await scaled.save(file("scaled"));
    const limited = new LossScaleOptimizer(new AdamW(), { initialScale: 8, maximumScale: 16 });
    limited.build([{ name: "p0", value: new Float32Array(3) }]);
    await rejectsLater("CHECKPOINT", limited.load(file("scaled"), { config: "keep" }), "to maximumScale 16");
    expect(limited.lossScale).to.equal(8);
  });

  it("says both values, defaults too, and small numbers in one spelling", async () => {
    const { optimizer } = simple({ formula: "torch", epsilon: 1e-6, weightDecay: 0 }, 3);
    await optimizer.save(file("values"));
    await rejectsLater(
      "CHECKPOINT",
      simple({ nonFinite: "skip" }, 3).optimizer.load(file("values")),
      'formula is "torch" in the file and "keras" here',
      'nonFinite is "propagate" in the file and "skip" here',
      "epsilon is 1e-6 in the file and 1e-7 here",
      "weightDecay is 0 in the file and 0.004 here",
    );
  });

  it("calls options that differ what they are called in TypeScript, in groups and schedules too", async () => {
    const cosine = (decaySteps: number) => new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps });
    const group = { match: /0$/ };
    const { optimizer } = simple({ learningRate: cosine(9), groups: [{ ...group, weightDecay: 0 }] }, 3);
    await optimizer.save(file("called"));
    const other = (options: AdamWOptions) => simple(options, 3).optimizer.load(file("called"));
    await rejectsLater(
      "CHECKPOINT",
      other({ learningRate: cosine(8), groups: [{ ...group, learningRateMultiplier: 2 }] }),
      "learningRate.decaySteps is 9 in the file and 8 here",
      "weightDecay is 0 in the file and 0.004 here",
      "learningRateMultiplier is 1 in the file and 2 here",
    );
    await rejectsLater(
      "CHECKPOINT",
      other({}),
      "learningRate is CosineDecay in the file and 0.001 here",
      "weightDecay is 0 in the file and 0.004 here",
    );
    const join = new schedules.Join({ schedules: [cosine(9)], boundaries: [] });
    await rejectsLater(
      "CHECKPOINT",
      other({ learningRate: join }),
      "learningRate is CosineDecay in the file and Join here",
    );
  });
});
