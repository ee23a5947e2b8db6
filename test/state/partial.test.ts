import { expect } from "chai";
import { AdamW, type AdamWOptions } from "../../lib/index.js";
import { bytesOf, memoryTensor } from "../../lib/state/optimizer-state.js";
import { writeSafetensors } from "../../lib/state/safetensors-writer.js";
import { temporaryFolder } from "../temporary.js";

const partial = { mode: "partial" } as const;

/** Two parameters, of which one may have another length. */
function build(options: AdamWOptions, length = 3) {
  const optimizer = new AdamW(options);
  const values = { w: new Float32Array(length).fill(1), v: new Float32Array(2).fill(1) };
  optimizer.build(Object.entries(values).map(([name, value]) => ({ name, value })));
  const step = (count = 1) => {
    for (let i = 0; i < count; i += 1) optimizer.apply({ w: values.w.map(() => 0.5), v: values.v.map(() => 0.5) });
  };
  return { optimizer, values, step };
}

describe("loading a part", () => {
  const file = temporaryFolder();

  /**
   * A file of another program's with these tensors of w, each of three elements, and the count where `steps` says one.
   */
  async function write(slots: readonly string[], steps?: number): Promise<string> {
    const tensors = slots.map((slot, i) =>
      memoryTensor(`w.${slot}`, "F32", [3], bytesOf(new Float32Array(3).fill(1 + i))),
    );
    const count =
      steps === undefined ? [] : [memoryTensor("w.step", "I64", [], bytesOf(BigInt64Array.of(BigInt(steps))))];
    await writeSafetensors(file("other"), [...tensors, ...count], () => ({}));
    return file("other");
  }

  it("takes a parameter's count with its moments or not at all: else nothing would correct their bias", async () => {
    const options: AdamWOptions = { formula: "torch", learningRate: 0.01, weightDecay: 0 };
    const trained = build(options);
    trained.step(1000);
    await trained.optimizer.save(file("trained"));
    const [other, fresh] = [build(options, 4), build(options, 4)];
    const { loaded, notLoaded } = await other.optimizer.load(file("trained"), partial);
    expect(loaded).to.have.members(["v.step", "v.exp_avg", "v.exp_avg_sq"]);
    expect(notLoaded.map(({ name }) => name)).to.have.members(["w.step", "w.exp_avg", "w.exp_avg_sq"]);
    expect(notLoaded.find(({ name }) => name === "w.step")?.reason).to.match(/^it belongs to w\.exp_avg/);
    expect(other.optimizer.iterations).to.equal(1000);
    trained.values.v.set(other.values.v);
    for (const { step } of [trained, other, fresh]) step(3);
    expect(other.values.w, "as new").to.deep.equal(fresh.values.w);
    expect(other.values.v, "as trained").to.deep.equal(trained.values.v);
  });

  it("leaves a parameter that has moments already its own count", async () => {
    const options: AdamWOptions = { formula: "torch", weightDecay: 0 };
    const [trained, other, same] = [build(options), build(options, 4), build(options, 4)];
    trained.step(10);
    await trained.optimizer.save(file("ten"));
    for (const { step } of [other, same]) step(2);
    await other.optimizer.load(file("ten"), partial);
    for (const { step } of [other, same]) step();
    expect(other.values.w).to.deep.equal(same.values.w);
  });

  const halves: readonly [slots: readonly string[], steps: number | undefined, lacking: string][] = [
    [["exp_avg"], 9, "w.exp_avg_sq"],
    [["exp_avg_sq", "max_exp_avg_sq"], 9, "w.exp_avg"],
    [["exp_avg", "exp_avg_sq", "max_exp_avg_sq"], undefined, "w.step"],
  ];
  for (const formula of ["torch", "keras"] as const) {
    for (const [slots, steps, lacking] of halves) {
      it(`takes no half of a parameter's state: formula ${formula}, without ${lacking}`, async () => {
        const { optimizer } = build({ formula, amsgrad: true });
        const { loaded, notLoaded } = await optimizer.load(await write(slots, steps), partial);
        expect(loaded).to.deep.equal([]);
        const reason = `it belongs to ${lacking}, which is not loaded`;
        for (const slot of slots) expect(notLoaded).to.deep.include({ name: `w.${slot}`, reason });
        expect(
          optimizer.variables.every(({ path, value }) => path.includes("rate") || value.every((x) => x === 0)),
        ).to.equal(true);
      });
    }
  }

  it("takes moments without the largest ones, which begin with the next step", async () => {
    const { optimizer } = build({ formula: "torch", amsgrad: true });
    const { loaded } = await optimizer.load(await write(["exp_avg", "exp_avg_sq"], 9), partial);
    expect(loaded).to.have.members(["w.step", "w.exp_avg", "w.exp_avg_sq"]);
    expect(optimizer.iterations).to.equal(9);
  });

  it("begins the averages that the file lacks at the parameters, as a first step does", async () => {
    const trained = build({});
    trained.step(5);
    await trained.optimizer.save(file("plain"), { parameters: true });
    const options = { ...partial, config: "keep" } as const;
    const other = build({ useEma: true });
    const { notLoaded } = await other.optimizer.load(file("plain"), options);
    expect(notLoaded.map(({ name }) => name)).to.deep.equal(["w.ema", "v.ema"]);
    expect(other.values).to.deep.equal(trained.values);
    const average = () =>
      other.optimizer.variables.filter(({ path }) => path.endsWith("average")).map(({ value }) => value);
    expect(average()).to.deep.equal(Object.values(trained.values));
    // Averages that go on already are those of this training.
    other.step(3);
    const before = average();
    await other.optimizer.load(file("plain"), options);
    expect(average()).to.deep.equal(before);
  });

  it("begins them so too after micro-steps that averages of updates take no part in", async () => {
    const options: AdamWOptions = { gradientAccumulationSteps: 2 };
    const trained = build(options);
    trained.step(6);
    await trained.optimizer.save(file("windows"), { parameters: true });
    const other = build({ ...options, useEma: true, emaUpdates: "update" });
    other.step();
    await other.optimizer.load(file("windows"), { ...partial, config: "keep" });
    other.optimizer.swapEma();
    expect(other.values).to.deep.equal(trained.values);
  });

  it("leaves the averages to the first step where no step was loaded", async () => {
    const other = build({ useEma: true });
    await build({}).optimizer.save(file("new"));
    await other.optimizer.load(file("new"), { ...partial, config: "keep" });
    other.values.w.fill(7);
    other.step();
    other.optimizer.swapEma();
    expect(other.values.w[0]).to.be.closeTo(7, 0.1);
  });

  it("restores Keras' one count, which takes the bias correction from moments that are new", async () => {
    const options: AdamWOptions = { learningRate: 0.01, weightDecay: 0 };
    const trained = build(options);
    trained.step(20_000);
    await trained.optimizer.save(file("long"));
    const other = build(options, 4);
    await other.optimizer.load(file("long"), partial);
    expect(other.optimizer.iterations).to.equal(20_000);
    other.step();
    // (1 − β1) / √(1 − β2) learning rates, where a first step of a new optimizer is one.
    expect((1 - (other.values.w[0] as number)) / 0.01).to.be.closeTo(0.1 / Math.sqrt(0.001), 0.01);
  });
});
