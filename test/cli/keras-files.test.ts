import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { fixture, shapes } from "../state/keras-cases.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliJson } from "./cli.js";

describe("Keras' files on the command line", () => {
  const file = temporaryFolder();

  it("are inspected and verified without names, by the numbers of their variables", async function () {
    this.timeout(300_000);
    const { status, stdout } = await cli(["inspect", fixture("scaled.keras")]);
    expect(status).to.equal(0);
    expect(stdout).to.match(/\n +names +not said: --names tells which tensor is which\n/);
    expect(stdout)
      .to.match(/\n +learning rate +0\.00999/)
      .and.match(/\n +counters +steps 5, lossScale \d+, growthCounter \d/);
    expect(stdout).to.match(/\noptimizer\/inner_optimizer\/vars\/2 +F32 +\[3, 4\]/);
    const weights = fixture("plain.weights.h5");
    expect(await cliJson("verify", weights)).to.include({ format: "keras", whole: true, tensors: 10 });
    const cut = file("cut.weights.h5");
    writeFileSync(cut, readFileSync(weights).subarray(0, -1));
    const damaged = await cli(["verify", cut]);
    expect(damaged.status).to.equal(1);
    expect(damaged.stderr).to.match(/truncated: \d+ of \d+ bytes/);
    const unnamed = await cli(["convert", weights, file("unnamed.safetensors")]);
    expect(unnamed.status).to.equal(2);
    expect(unnamed.stderr).to.include("give --names a,b,c");
  });

  it("are inspected, verified and converted with --names and --config", async function () {
    this.timeout(300_000);
    const weights = fixture("everything.weights.h5");
    const names = ["--names", "a,b,c,d"];
    const options = {
      learning_rate: 0.01,
      use_ema: true,
      amsgrad: true,
      gradient_accumulation_steps: 2,
      beta_1: 0.8,
    };
    writeFileSync(file("config.json"), JSON.stringify(options));
    const config = ["--config", file("config.json")];
    for (const [args, problem] of [
      [config, "give --names a,b,c"],
      [names, "give --config FILE"],
    ] as const) {
      for (const name of ["inspect", "verify"]) {
        const { status, stderr } = await cli([name, weights, ...args]);
        expect(status).to.equal(2);
        expect(stderr).to.include(problem).and.not.include("names: [");
      }
    }
    expect(await cliJson("verify", weights, ...names, ...config)).to.include({ format: "keras", whole: true });
    expect((await cli(["inspect", weights, ...names, ...config])).stdout).to.match(/\nbeta_1 +0.8\n/);
    await cliJson("convert", weights, file("everything.safetensors"), ...names, ...config);
    const optimizer = new AdamW({ useEma: true, amsgrad: true, gradientAccumulationSteps: 2, beta1: 0.8 });
    optimizer.build(
      shapes.map((shape, i) => ({
        name: "abcd"[i] as string,
        shape,
        value: new Float32Array(shape.reduce((a, b) => a * b, 1)),
      })),
    );
    await optimizer.load(file("everything.safetensors"));
    expect(optimizer.iterations).to.equal(2);
    const fewer = await cli(["inspect", weights, "--names", "a,b", ...config]);
    expect(fewer.status).to.equal(2);
    expect(fewer.stderr).to.include("expected for 2 parameters");
    const own = await cli(["verify", file("everything.safetensors"), ...config]);
    expect(own.status).to.equal(2);
    expect(own.stderr).to.include("says its options itself");
  });

  it("take Keras' envelopes for --config, whose rate must be of the file's kind", async () => {
    const names = ["--names", "a,b,c,d"];
    const adam = { class_name: "Adam", config: { weight_decay: null, learning_rate: 0.01 } };
    writeFileSync(file("adam.json"), JSON.stringify(adam));
    writeFileSync(file("sgd.json"), JSON.stringify({ class_name: "SGD", config: { momentum: 0 } }));
    const scaler = {
      class_name: "LossScaleOptimizer",
      config: { inner_optimizer: { ...adam, config: { amsgrad: true } } },
    };
    writeFileSync(file("scaler.json"), JSON.stringify(scaler));
    const run = (weights: string, config: string) =>
      cli(["verify", fixture(`${weights}.weights.h5`), ...names, "--config", file(config)]);
    expect((await run("adam", "adam.json")).status).to.equal(0);
    expect((await run("scaled", "scaler.json")).status).to.equal(0);
    const sgd = await run("plain", "sgd.json");
    expect([sgd.status, sgd.stderr.includes('sgd.json: its optimizer is "SGD"')]).to.deep.equal([2, true]);
    const schedule = await run("schedule", "adam.json");
    expect(schedule.status).to.equal(2);
    expect(schedule.stderr).to.include("a number in --config and a schedule in");
  });

  it("have no place for some options, of which convert warns", async function () {
    this.timeout(300_000);
    const optimizer = new AdamW({ learningRate: 0.01, maximize: true });
    const lengths = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
    optimizer.build(
      shapes.map((shape, i) => ({ name: `p${i}`, shape, value: new Float32Array(lengths[i] as number) })),
    );
    await optimizer.save(file("climb.safetensors"));
    copyFileSync(fixture("plain.weights.h5"), file("climb.weights.h5"));
    const { status, stderr } = await cli(["convert", file("climb.safetensors"), file("climb.weights.h5")]);
    expect(status).to.equal(0);
    expect(stderr).to.include("maximize is not part of the optimizer in Keras' files: left out");
  });
});
