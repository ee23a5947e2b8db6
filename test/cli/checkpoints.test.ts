import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, CheckpointManager, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliInTerminal, cliJson, longestLine, noTerminal, withoutEscapes } from "./cli.js";

const fixture = (path: string) => fileURLToPath(new URL(`../state/${path}`, import.meta.url));
const torch = fixture("torch/named.pt");

describe("inspect, verify and convert", () => {
  const file = temporaryFolder();

  before(async () => {
    const optimizer = new AdamW({ beta1: 0.8, nonFinite: "propagate" });
    optimizer.build([{ name: "a/w", shape: [2, 2], value: new Float32Array(4) }]);
    optimizer.apply([Float32Array.of(1, 2, Number.NaN, Number.POSITIVE_INFINITY)]);
    await optimizer.save(file("good.safetensors"), { metadata: { epoch: "3" } });
    const bytes = readFileSync(file("good.safetensors"));
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(file("bad.safetensors"), bytes);
  });

  it("inspect shows options, counts, tensors and what is not finite", async () => {
    const { status, stdout, stderr } = await cli(["inspect", file("good.safetensors")]);
    expect([status, stderr]).to.deep.equal([0, ""]);
    for (const part of ["fused-adamw", "beta_1", "a/w.exp_avg_sq", "[2, 2]", "2 are not", "epoch"]) {
      expect(stdout).to.include(part);
    }
    interface Inspected {
      readonly format: string;
      readonly learningRate: number;
      readonly tensors: readonly { readonly name: string; readonly nonFinite: number }[];
    }
    const report = await cliJson<Inspected>("inspect", file("good.safetensors"));
    expect(report.learningRate).to.equal(0.001);
    expect(report.tensors.map(({ name, nonFinite }) => [name, nonFinite])).to.deep.equal([
      ["a/w.step", 0],
      ["a/w.exp_avg", 2],
      ["a/w.exp_avg_sq", 2],
    ]);
  });

  it("inspect shows the options that are not the default, a row each", async () => {
    const { stdout } = await cli(["inspect", file("good.safetensors")]);
    expect(stdout).to.include("\noption  value\nbeta_1  0.8\n\n");
    const scaled = (await cli(["inspect", fixture("keras/scaled.keras"), "--names", "a,b,c,d"])).stdout;
    expect(scaled)
      .to.match(/\ninner_optimizer +AdamW\n/)
      .and.match(/\ninner_optimizer\.amsgrad +true\n/);
    expect(scaled)
      .to.match(/\ninitial_scale +64\n/)
      .and.not.include("weight_decay");
    const optimizer = new AdamW();
    optimizer.build([{ name: "w", value: new Float32Array(1) }]);
    await optimizer.save(file("default.safetensors"));
    expect((await cli(["inspect", file("default.safetensors")])).stdout).to.include(
      "\n\nEvery option is the default.\n\n",
    );
    const { status } = await cli(["inspect", torch]);
    expect(status, "options that the format does not say").to.equal(0);
  });

  it("inspect names the schedule of a loss scaler's inner optimizer, and its options after their owners", async () => {
    const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.5, decaySteps: 9 });
    const scaled = new LossScaleOptimizer(new AdamW({ learningRate }));
    await scaled.build([{ name: "w", value: new Float32Array(1) }]).save(file("scaled"));
    const { stdout } = await cli(["inspect", file("scaled")]);
    expect(stdout)
      .to.match(/\n +learning rate +CosineDecay\n/)
      .and.match(/\ninner_optimizer\.learning_rate +CosineDecay\n/)
      .and.match(/\ninner_optimizer\.learning_rate\.decay_steps +9\n/);
    const unsaid = new AdamW({ learningRate: () => 0.5 });
    await unsaid.build([{ name: "w", value: new Float32Array(1) }]).save(file("function"));
    expect((await cli(["inspect", file("function")])).stdout).to.match(/\n +learning rate +not said\n/);
  });

  it("inspect breaks no word of an option in a narrow terminal", async function () {
    if (noTerminal !== undefined) {
      console.log(`      skipped: ${noTerminal}`);
      this.skip();
    }
    const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.5, decaySteps: 9, warmupSteps: 3 });
    const optimizer = new AdamW({
      learningRate,
      gradientAccumulationSteps: 4,
      groups: [{ match: "w*", weightDecay: 0 }],
    });
    optimizer.build([{ name: "w", value: new Float32Array(1) }]);
    await optimizer.save(file("narrow"));
    const { screen } = await cliInTerminal(["inspect", file("narrow")], 40);
    const text = withoutEscapes(screen);
    const options = text.slice(text.indexOf("\noption"), text.indexOf("\ntensor"));
    expect(longestLine(options)).to.be.at.most(40);
    for (const word of ["CosineDecay", "initial_learning_rate", "gradient_accumulation_steps", '"weight_decay":']) {
      expect(options).to.include(word);
    }
  });

  it("verify ends with 0 for a whole file, 1 for a damaged one, 3 for one that is not there", async () => {
    const whole = await cli(["verify", file("good.safetensors")]);
    expect([whole.status, whole.stderr]).to.deep.equal([0, ""]);
    expect(whole.stdout).to.include("is whole: fused-adamw, 3 tensors");
    const bad = await cli(["verify", file("bad.safetensors")]);
    expect([bad.status, bad.stdout]).to.deep.equal([1, ""]);
    expect(bad.stderr).to.include("a/w.exp_avg_sq").and.include("the data is damaged");
    expect((await cli(["verify", file("none")])).status).to.equal(3);
    expect(await cliJson("verify", torch)).to.include({ format: "torch", whole: true, unchecked: 0 });
  });

  it("take the newest checkpoint of a manager's folder, and say which", async () => {
    const optimizer = new AdamW();
    optimizer.build([{ name: "w", value: new Float32Array(1) }]);
    const folder = file("managed");
    const manager = new CheckpointManager(optimizer, { folder, everySteps: 1 });
    for (let step = 0; step < 2; step += 1) {
      optimizer.apply([Float32Array.of(1)]);
      await manager.save();
    }
    const newest = "checkpoint-000000000002.safetensors";
    const { status, stdout, stderr } = await cli(["verify", folder]);
    expect([status, stderr]).to.deep.equal([0, `The newest checkpoint in ${folder} is ${newest}\n`]);
    expect(stdout).to.include(`${newest} is whole`);
    expect(await cliJson<object>("inspect", folder)).to.deep.include({ path: join(folder, newest) });
    rmSync(join(folder, newest));
    const gone = await cli(["verify", folder]);
    expect([gone.status, gone.stdout]).to.deep.equal([1, ""]);
    expect(gone.stderr).to.include(`${newest}: the file latest beside it says`);
    const empty = file("empty");
    mkdirSync(empty);
    expect((await cli(["verify", empty])).status).to.equal(1);
  });

  it("convert changes format and names, and what it writes says the same", async () => {
    const { status, stderr } = await cli(["convert", torch, file("a.safetensors"), "--rename", "scale=out/scale"]);
    expect([status, stderr]).to.deep.equal([0, ""]);
    const optimizer = new AdamW({
      formula: "torch",
      learningRate: 1,
      beta1: 0.85,
      beta2: 0.99,
      epsilon: 1e-6,
      weightDecay: 0.02,
      amsgrad: true,
    });
    optimizer.build([
      { name: "dense.weight", shape: [5, 3], value: new Float32Array(15) },
      { name: "dense.bias", value: new Float32Array(5) },
      { name: "out/scale", shape: [], value: new Float32Array(1) },
    ]);
    await optimizer.load(file("a.safetensors"));
    expect([optimizer.iterations, optimizer.learningRate]).to.deep.equal([4, 0.01]);
    const again = await cliJson<{ to: string }>("convert", file("a.safetensors"), file("b"), "--shard-bytes", "100");
    expect(again.to).to.equal("fused-adamw");
    expect((await cli(["verify", file("b")])).status).to.equal(0);
  });

  it("TensorFlow.js' files are inspected, verified and converted both ways", async () => {
    const make = () => {
      const optimizer = new AdamW({ formula: "torch", weightDecay: 0 });
      return optimizer.build([{ name: "a/w", shape: [2, 2], value: new Float32Array(4) }]);
    };
    const optimizer = make();
    optimizer.apply([Float32Array.of(1, 2, 3, 4)]);
    await optimizer.save(file("t.safetensors"), { parameters: true });
    const forth = await cliJson<{ to: string }>("convert", file("t.safetensors"), file("t/model.json"));
    expect(forth.to).to.equal("tfjs");
    expect(await cliJson("verify", file("t"))).to.include({ format: "tfjs", whole: true, tensors: 4 });
    const { stdout } = await cli(["inspect", file("t/model.json")]);
    for (const part of ["tfjs", "a/w.exp_avg_sq", "a/w.param", "formula"]) expect(stdout).to.include(part);
    await cliJson("convert", file("t"), file("u.safetensors"));
    const again = make();
    await again.load(file("u.safetensors"));
    expect(again.variables.map(({ value }) => value)).to.deep.equal(optimizer.variables.map(({ value }) => value));
  });

  it("convert rejects wrong options, and writes nothing from a damaged file", async () => {
    const good = file("good.safetensors");
    expect((await cli(["convert", good, file("c"), "--format", "pickle"])).status).to.equal(2);
    expect((await cli(["convert", good, file("c"), "--rename", "a"])).status).to.equal(2);
    expect((await cli(["convert", good, file("c"), "--shard-bytes", "0"])).status).to.equal(2);
    expect((await cli(["convert", good, file("c.pt"), "--shard-bytes", "9"])).status).to.equal(2);
    expect((await cli(["convert", good, file("c.pt")])).stderr).to.include('formula "torch"');
    const none = await cli(["convert", good, file("none.keras")]);
    expect([none.status, none.stderr.includes("Keras has to save the model there first")]).to.deep.equal([3, true]);
    for (const args of [["convert", file("c")], ["inspect"], ["verify"]]) {
      const [name = "", ...rest] = args;
      expect((await cli([name, file("bad.safetensors"), ...rest])).status, name).to.equal(1);
    }
    expect((await cli(["verify", file("c")])).status).to.equal(3);
  });
});
