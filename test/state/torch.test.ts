import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, type AdamWOptions, schedules } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import { PickleApply, PickleName, PicklePersistent, PickleTuple, writePickle } from "../../lib/state/pickle-writer.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";
import { archive, openTorch } from "./torch-archive.js";

type Recorded = Record<string, number[]>;

const fixture = (name: string) => fileURLToPath(new URL(`torch/${name}`, import.meta.url));
const recorded = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as {
  state: Record<string, Recorded>;
  parameters: Recorded;
  end: Recorded;
};
const shapes: Readonly<Record<string, readonly number[]>> = { "dense.weight": [5, 3], "dense.bias": [5], scale: [] };
const names = Object.keys(shapes);
const options: AdamWOptions = {
  formula: "torch",
  learningRate: 0.01,
  beta1: 0.85,
  beta2: 0.99,
  epsilon: 1e-6,
  weightDecay: 0.02,
  amsgrad: true,
};

/** The numbers of record.py. */
function wave(name: string, seed: number): Float32Array {
  const length = (shapes[name] as number[]).reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 104729 + 13) % 2003) - 1001) / 1024);
}

function make(given: AdamWOptions = options, values = names.map(wave)) {
  const optimizer = new AdamW(given);
  optimizer.build(
    names.map((name, i) => ({ name, shape: shapes[name] as number[], value: values[i] as Float32Array })),
  );
  const train = (from: number, to: number) => {
    for (let step = from; step < to; step += 1) {
      optimizer.apply(names.map((name, i) => (i === 1 && step === 2 ? null : wave(name, step * 10 + i))));
    }
  };
  return { optimizer, values, train };
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  for (let i = 0; i < expected.length; i += 1) {
    const [a, b] = [actual[i] as number, expected[i] as number];
    expect(Math.abs(a - b), `${what}[${i}]: ${a}, expected ${b}`).to.be.at.most(2e-6 * Math.abs(b) + 1e-9);
  }
}

/**
 * The recorded state, in the order of our variables: momentum and velocity interleaved, then the largest velocities,
 * then the counts of updates.
 */
function expectState(optimizer: AdamW): void {
  const values = optimizer.variables.slice(2).map(({ value }) => [...value]);
  const state = names.map((name) => recorded.state[name] as Recorded);
  const expected = [
    ...state.flatMap(({ exp_avg, exp_avg_sq }) => [exp_avg, exp_avg_sq]),
    ...state.map(({ max_exp_avg_sq }) => max_exp_avg_sq),
    state.flatMap(({ step }) => step),
  ];
  expect(values).to.deep.equal(expected);
}

describe("states of the real PyTorch", () => {
  const file = temporaryFolder();
  const saved = () =>
    make(
      options,
      names.map((name) => Float32Array.from(recorded.parameters[name] as number[])),
    );

  it("are matched by the names in the file, taken exactly, and go on as in PyTorch", async () => {
    const { optimizer, values, train } = saved();
    const report = await optimizer.load(fixture("named.pt"));
    expect(report.format).to.equal("torch");
    expectState(optimizer);
    expect(optimizer.iterations).to.equal(4);
    train(4, 7);
    for (const [i, name] of names.entries()) close(values[i] as Float32Array, recorded.end[name] as number[], name);
  });

  it("without names want them from the caller; transposed tensors and larger files are read", async () => {
    const { optimizer } = saved();
    await rejectsLater("CHECKPOINT", optimizer.load(fixture("unnamed.pt")), "no names for its 3 parameters");
    await rejectsLater("CHECKPOINT", optimizer.load(fixture("unnamed.pt"), { names: ["a"] }), "has 3 parameters");
    await optimizer.load(fixture("unnamed.pt"), { names });
    expectState(optimizer);
  });

  it("are read beside a whole model's state_dict", async () => {
    const moments = JSON.parse(readFileSync(fixture("model.json"), "utf8")) as Recorded;
    const built = new AdamW(options).build(
      Object.entries(moments).map(([name, { length }]) => ({
        name,
        shape: name === "0.weight" ? [2, 3] : [length],
        value: new Float32Array(length),
      })),
    );
    const { notLoaded } = await built.load(fixture("model.pt"));
    expect(notLoaded).to.deep.equal([]);
    expect(built.iterations).to.equal(1);
    const found = built.variables.filter(({ path }) => path.endsWith("_momentum")).map(({ value }) => [...value]);
    expect(found).to.deep.equal(Object.values(moments));
  });

  it("in the format before 1.6 are refused, with what to do", async () => {
    await rejectsLater("CHECKPOINT", saved().optimizer.load(fixture("legacy.pt")), "torch.save it again");
  });

  it("of another type are converted only when asked", async () => {
    const { optimizer } = saved();
    await rejectsLater("CHECKPOINT", optimizer.load(fixture("bfloat16.pt")), "type BF16");
    await optimizer.load(fixture("bfloat16.pt"), { convert: true });
    const [expected = 0] = recorded.state["dense.weight"]?.exp_avg ?? [];
    expect(Math.abs((optimizer.variables[2]?.value[0] as number) - expected)).to.be.below(Math.abs(expected) / 128);
  });

  it("want the same options", async () => {
    const { optimizer } = make({ ...options, formula: "keras", beta1: 0.9 });
    await rejectsLater("CHECKPOINT", optimizer.load(fixture("named.pt")), "formula", "beta1 is 0.85");
    await optimizer.load(fixture("named.pt"), { config: "keep" });
  });

  it("are written as the files that record.py --check has loaded into PyTorch", async () => {
    const { optimizer, train } = make();
    train(0, 4);
    for (const name of ["ours.pt", "ours.safetensors"]) {
      const path = process.env.FUSED_ADAMW_RECORD === "torch" ? fixture(name) : file(name);
      await optimizer.save(path);
    }
    expect(await readFile(file("ours.pt"))).to.deep.equal(await readFile(fixture("ours.pt")));
    const again = make();
    await again.optimizer.load(file("ours.pt"));
    expect(again.optimizer.variables.map(({ value }) => value)).to.deep.equal(
      optimizer.variables.map(({ value }) => value),
    );
  });

  it("are written with groups, and with the rate a schedule has reached", async () => {
    const given: AdamWOptions = {
      ...options,
      learningRate: new schedules.ExponentialDecay({ initialLearningRate: 0.5, decaySteps: 1, decayRate: 0.5 }),
      groups: [
        { match: "scale", frozen: true },
        { match: "dense.bias", weightDecay: 0.5, learningRateMultiplier: 2 },
      ],
    };
    const { optimizer } = make(given);
    optimizer.apply(names.map((name, i) => wave(name, i)));
    await optimizer.save(file("groups.pt"));
    const {
      parameters,
      optimizer: config,
      close: shut,
      tensors,
    } = await openTorch(new ByteMemory("groups.pt", await readFile(file("groups.pt"))));
    expect(parameters.map(({ name }) => name)).to.deep.equal(["dense.weight", "dense.bias"]);
    expect(config?.config).to.deep.include({
      weight_decay: 0.02,
      groups: [{ match: { source: "^(?:dense\\.bias)$", flags: "" }, weight_decay: 0.5, learning_rate_multiplier: 2 }],
    });
    expect([...tensors.keys()]).to.include("dense.bias.max_exp_avg_sq");
    await shut();
  });

  it("are not written for a formula that PyTorch does not have", async () => {
    const { optimizer } = make({});
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("keras.pt")), 'formula "torch"');
  });
  it("that are damaged are rejected before the optimizer has changed", async () => {
    const { optimizer, train } = make();
    train(0, 2);
    const before = optimizer.variables.map(({ value }) => value);
    const good = await readFile(fixture("named.pt"));
    const damaged = Buffer.from(good);
    const at = damaged.indexOf(
      Buffer.from(Float32Array.from(recorded.state["dense.bias"]?.exp_avg as number[]).buffer),
    );
    damaged[at] = (damaged[at] as number) ^ 1;
    await writeFile(file("damaged.pt"), damaged);
    await rejectsLater("CHECKPOINT", optimizer.load(file("damaged.pt")), "dense.bias.exp_avg", "checksum");
    expect(optimizer.variables.map(({ value }) => value)).to.deep.equal(before);
  });

  it("count updates for the group where Apex does, and have the rate that is a tensor", async () => {
    const storage = new PicklePersistent("storage", new PickleName("torch", "FloatStorage"), "0", "cuda:0", 2);
    const single = new PicklePersistent("storage", new PickleName("torch", "FloatStorage"), "1", "cpu", 1);
    const hooks = new PickleApply(new PickleName("collections", "OrderedDict"));
    const rebuild = new PickleName("torch._utils", "_rebuild_tensor_v2");
    const moment = new PickleApply(rebuild, storage, 0, new PickleTuple(2), new PickleTuple(1), false, hooks);
    const rate = new PickleApply(rebuild, single, 0, new PickleTuple(), new PickleTuple(), false, hooks);
    const group = new Map<string, unknown>([
      ["step", 7],
      ["lr", rate],
      ["params", [0]],
    ]);
    const root = new Map<string, unknown>([
      ["state", new Map([[0, new Map([["exp_avg", moment]])]])],
      ["param_groups", [group]],
    ]);
    const source = await archive(writePickle(root), {
      "archive/data/0": Buffer.alloc(8),
      "archive/data/1": Buffer.from(Float32Array.of(0.25).buffer),
    });
    const { tensors, learningRate } = await openTorch(source, ["w"]);
    const step = new Uint8Array(8);
    await tensors.get("w.step")?.read(0, step);
    expect(new Float64Array(step.buffer)[0]).to.equal(7);
    expect(learningRate).to.equal(0.25);
    expect(tensors.get("w.exp_avg")?.shape).to.deep.equal([2]);
  });
});
