import { expect } from "chai";
import { AdamW, type AdamWOptions, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";

describe("what a save leaves out", () => {
  const file = temporaryFolder();

  const make = (options: AdamWOptions = {}) => new AdamW({ formula: "torch", weightDecay: 0, ...options });
  const save = async (optimizer: AdamW | LossScaleOptimizer, path: string) => {
    optimizer.build(["a", "b"].map((name) => ({ name, value: new Float32Array(2) })));
    return (await optimizer.save(file(path))).leftOut;
  };

  it("is nothing of options that the file says, or that change no number", async () => {
    const said = { beta1: 0.5, epsilon: 1e-4, name: "mine", reportNorms: true, zeroGradients: true };
    for (const path of ["said.pt", "said/model.json", "said.safetensors"]) {
      expect(await save(make(said), path), path).to.deep.equal([]);
    }
    const ours = make({ clipnorm: 1, groups: [{ match: "a", weightDecay: 1 }] });
    expect(await save(ours, "all.safetensors")).to.deep.equal([]);
  });

  it("are options that PyTorch's and TensorFlow.js' programs keep themselves, by their names in TypeScript", async () => {
    const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.5, decaySteps: 9 });
    const reached = "learningRate: of the schedule the number that it has reached is written";
    expect(await save(make({ learningRate, clipnorm: 1, nonFinite: "skip" }), "kept.pt")).to.deep.equal([
      "clipnorm and nonFinite are not part of PyTorch's state_dict: left out",
      reached,
    ]);
    expect(await save(make({ learningRate, globalClipnorm: 1 }), "kept/model.json")).to.deep.equal([
      "globalClipnorm is not part of TensorFlow.js' Adam: left out",
      reached,
    ]);
    const settings = make({
      weightDecay: 0.1,
      groups: [{ match: "a", beta1: 0.5 }],
      excludeFromWeightDecay: { names: ["b"] },
    });
    const written = "written as the settings of each parameter";
    expect(await save(settings, "settings.pt")).to.deep.equal([
      `groups: ${written}`,
      `excludeFromWeightDecay: ${written}`,
    ]);
  });

  it("are a loss scale's options too", async () => {
    const scaled = (options = {}) => new LossScaleOptimizer(make({ clipvalue: 1 }), options);
    expect(await save(scaled({ dynamicGrowthSteps: 5, initialScale: 8 }), "scaled.pt")).to.deep.equal([
      "dynamicGrowthSteps and clipvalue are not part of PyTorch's state_dict: left out",
    ]);
    expect(await save(scaled(), "scaled/model.json")).to.deep.equal([
      "the loss scale is not part of TensorFlow.js' Adam: left out",
      "clipvalue is not part of TensorFlow.js' Adam: left out",
    ]);
  });
});
