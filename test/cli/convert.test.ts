import { expect } from "chai";
import { AdamW, type AdamWOptions, schedules } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliJson } from "./cli.js";

describe("convert", () => {
  const file = temporaryFolder();

  it("says what the other format has no place for, and counts what is there", async () => {
    const make = (options: AdamWOptions) => {
      const optimizer = new AdamW({ formula: "torch", weightDecay: 0, globalClipnorm: 1, ...options });
      return optimizer.build(["a", "b"].map((name) => ({ name, value: new Float32Array(2) })));
    };
    const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.5, decaySteps: 9 });
    const rich = make({ learningRate, useEma: true, groups: [{ match: "a", weightDecay: 0.5 }] });
    await rich.save(file("rich.safetensors"), { parameters: true });
    const { status, stdout, stderr } = await cli(["convert", file("rich.safetensors"), file("rich.pt")]);
    expect(status).to.equal(0);
    expect(stdout).to.match(/^\S+: 8 of 10 tensors, .* fused-adamw → torch\n$/);
    const lost = [
      "parameters are not part of PyTorch's state_dict: left out",
      "globalClipnorm and useEma are not part of PyTorch's state_dict: left out",
      "learningRate: of the schedule the number that it has reached is written",
      "groups: written as the settings of each parameter",
    ];
    expect(stderr.trim().split("\n")).to.deep.equal(lost.map((sentence) => `warning: ${sentence}`));
    const saved = await rich.save(file("saved.pt"), { parameters: true });
    expect(saved.leftOut, "save says what convert says").to.deep.equal(lost);
    expect(await cliJson("verify", file("rich.pt"))).to.include({ tensors: 8 });
    await make({}).save(file("clipped.safetensors"), { parameters: true });
    const leftOut = ["globalClipnorm is not part of TensorFlow.js' Adam: left out"];
    const report = await cliJson("convert", file("clipped.safetensors"), file("clipped/model.json"));
    expect(report).to.deep.include({ tensors: 8, leftOut });
    const back = await cliJson("convert", file("rich.pt"), file("back.safetensors"));
    expect(back).to.deep.include({ tensors: 8, leftOut: [] });
  });
});
