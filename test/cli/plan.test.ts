import { mkdirSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { models } from "../../lib/cli/models.js";
import { AdamW, LossScaleOptimizer, type OptimizerPlan } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliJson } from "./cli.js";

interface Plan extends OptimizerPlan {
  readonly work: string;
  readonly tensors: number;
}

describe("plan", () => {
  const path = temporaryFolder();
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(path(name), content);
    return path(name);
  };

  // Published or counted by the frameworks that define them.
  const counts: Readonly<Record<string, number>> = {
    mlp: 109_386,
    "resnet-50": 25_557_032,
    "vit-b16": 86_567_656,
    "bert-base": 109_482_240,
    "gpt2-124m": 124_439_808,
    "gpt2-1.5b": 1_557_611_200,
    "llama-3.1-8b": 8_030_261_248,
  };

  it("knows the count of every model", () => {
    const found = Object.entries(models).map(([name, shapes]) => {
      const elements = [...shapes()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
      return [name, elements.reduce((a, b) => a + b, 0)];
    });
    expect(Object.fromEntries(found)).to.deep.equal(counts);
  });

  it("every parameter of a model has a name of its own", () => {
    for (const shapes of Object.values(models)) {
      const names = [...shapes()].map(({ name }) => name);
      expect(new Set(names).size).to.equal(names.length);
    }
  });

  it("says what AdamW.plan says", async () => {
    const { work, tensors, ...rest } = await cliJson<Plan>("plan", "mlp", "--options", "amsgrad,useEma");
    const expected = AdamW.plan({ amsgrad: true, useEma: true }, [...models.mlp!()]);
    expect({ work, tensors }).to.deep.equal({ work: "mlp", tensors: 6 });
    expect(rest).to.deep.include(expected as unknown as Record<string, unknown>);
  });

  it("of what does not fit is an answer like any other: it may be for another machine", async () => {
    const { status, stdout } = await cli(["plan", "1e15"]);
    expect(status).to.equal(0);
    expect(stdout).to.match(/ PiB do not fit into the [\d.]+ \wiB that this\s+machine has free\.\n$/);
  });

  it("takes numbers, tensors and fractions", async () => {
    expect(await cliJson<Plan>("plan", "2.5M")).to.include({ parameters: 2_500_000, tensors: 1 });
    expect(await cliJson<Plan>("plan", "200x1000")).to.include({ parameters: 200_000, tensors: 200 });
    const { parameters, tensors } = await cliJson<Plan>("plan", "llama-3.1-8b@1/16");
    expect(tensors).to.equal(291);
    expect(parameters).to.be.within(counts["llama-3.1-8b"]! / 16.1, counts["llama-3.1-8b"]! / 15.9);
  });

  it("takes the parameters of a checkpoint, not its moments", async () => {
    const optimizer = new AdamW().build([
      { name: "w", shape: [3, 4], value: new Float32Array(12) },
      { name: "b", value: new Float32Array(4) },
    ]);
    await optimizer.save(path("state.safetensors"), { parameters: true });
    const plan = await cliJson<Plan>("plan", path("state.safetensors"));
    expect(plan).to.include({ parameters: 16, tensors: 2 });
  });

  it("takes the options of a checkpoint, unless others are given", async () => {
    const options = { useEma: true, gradientAccumulationSteps: 2, weightDecay: 0.5 };
    class Constant {
      at = () => 0.1;
      getConfig = () => ({});
    }
    // Nothing here can look up a class of the user's own.
    const inner = new AdamW({ ...options, learningRate: new Constant() });
    const parameters = [{ name: "w", shape: [3, 11], value: new Float32Array(33) }];
    const optimizer = new LossScaleOptimizer(inner).build(parameters);
    const saved = path("options.safetensors");
    await optimizer.save(saved);
    const { stdout } = await cli(["plan", saved]);
    expect(stdout)
      .to.match(/\n +options +useEma,gradientAccumulationSteps=2, as the file says\n/)
      .and.match(/\n +parameters +33 in 1 tensor\n/);
    const { slots, state } = AdamW.plan(options, parameters);
    expect(await cliJson<Plan>("plan", saved)).to.deep.include({ slots, state });
    const given = await cliJson<Plan>("plan", saved, "--options", "default");
    expect(Object.keys(given.slots)).to.deep.equal(["momentum", "velocity"]);
    // A function cannot be written.
    await new AdamW({ learningRate: () => 0.1 }).build(parameters).save(saved);
    expect((await cli(["plan", saved])).stdout).to.contain("default: the file does not say any");
  });

  it("takes the shapes of a safetensors file", async () => {
    const header = JSON.stringify({
      __metadata__: { format: "pt" },
      weight: { dtype: "F32", shape: [3, 4], data_offsets: [0, 48] },
      bias: { dtype: "F32", shape: [4], data_offsets: [48, 64] },
    });
    const length = new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer);
    const model = file("model.safetensors", Buffer.concat([length, Buffer.from(header), Buffer.alloc(64)]));
    expect(await cliJson<Plan>("plan", model)).to.include({ parameters: 16, tensors: 2 });
  });

  it("takes a configuration of Keras", async () => {
    const config = { class_name: "AdamW", config: { name: "adamw", amsgrad: true, beta_1: 0.8 } };
    const { slots } = await cliJson<Plan>("plan", "10", "--config", file("config.json", JSON.stringify(config)));
    expect(Object.keys(slots)).to.deep.equal(["momentum", "velocity", "velocity_hat"]);
  });

  const emptyFolder = path("folder.safetensors");
  mkdirSync(emptyFolder);
  const mistakes: [what: string, args: string[], status: number, message: string][] = [
    ["no work", [], 2, "missing required argument 'work'"],
    ["an unknown model", ["gpt3-124m"], 2, "did you mean gpt2-124m?"],
    ["no parameters", ["0"], 2, "whole number ≥ 1"],
    ["half a parameter", ["0.5"], 2, "whole number ≥ 1"],
    ["more than a double counts", ["1e30"], 2, "whole number ≥ 1"],
    ["a fraction above 1", ["mlp@1/0"], 2, "a fraction above 0 and up to 1"],
    ["half a fraction", ["mlp@"], 2, "MODEL@1/8"],
    ["a missing file", ["missing.safetensors"], 3, "missing.safetensors does not exist"],
    ["a folder", [emptyFolder], 3, "is a folder"],
    ["a file of another kind", [file("short.safetensors", "abc")], 2, "it is too short"],
    ["a header cut off", [file("cut.safetensors", new Uint8Array([200, 0, 0, 0, 0, 0, 0, 0, 123]))], 2, "cut off"],
    ["an unknown option", ["10", "--options", "amsgrat"], 2, "did you mean amsgrad?"],
    ["a wrong value", ["10", "--options", "beta1=2"], 2, "Expected a number in [0, 1) for beta1 but received 2"],
    ["two clips", ["10", "--options", "clipnorm=1,clipvalue=1"], 2, "at most one of clipnorm"],
    ["a broken configuration", ["10", "--config", file("broken.json", "{")], 2, "is no JSON"],
    ["options twice", ["10", "--config", "a.json", "--options", "amsgrad"], 2, "not both"],
  ];
  for (const [what, args, expected, message] of mistakes) {
    it(`rejects ${what}`, async () => {
      const { status, stdout, stderr } = await cli(["plan", ...args]);
      expect({ status, stdout }).to.deep.equal({ status: expected, stdout: "" });
      expect(stderr).to.contain(message);
    });
  }
});
