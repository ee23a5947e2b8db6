import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { temporaryFolder } from "../state/temporary.js";
import { cli, cliJson } from "./cli.js";

const torch = fileURLToPath(new URL("../state/torch/named.pt", import.meta.url));

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
    for (const part of ["tfjs", "a/w.exp_avg_sq", "a/w.param", "beta_1"]) expect(stdout).to.include(part);
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
    expect((await cli(["convert", file("bad.safetensors"), file("c")])).status).to.equal(3);
    expect((await cli(["verify", file("c")])).status).to.equal(3);
  });
});
