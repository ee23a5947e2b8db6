import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, type AdamWOptions, LossScaleOptimizer, type ParameterGroup, schedules } from "../../lib/index.js";
import type { SerializedObject } from "../../lib/keras-object.js";
import { openCheckpoint, writeCheckpoint } from "../../lib/state/formats.js";
import { renameCheckpoint } from "../../lib/state/rename.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

const fixture = (name: string) => fileURLToPath(new URL(`torch/${name}`, import.meta.url));
const shapes: Readonly<Record<string, readonly number[]>> = { "dense.weight": [5, 3], "dense.bias": [5], scale: [] };

/** The groups of record.py: that of the weight, which is the optimizer's, and that of all else. */
const options: AdamWOptions = {
  formula: "torch",
  beta1: 0.85,
  beta2: 0.99,
  epsilon: 1e-6,
  weightDecay: 0.02,
  amsgrad: true,
};
const optionsOfWeight = { learningRateMultiplier: 1, weightDecay: 0.02, beta2: 0.99, epsilon: 1e-6 };
const others = { learningRateMultiplier: 5, weightDecay: 0, beta2: 0.95, epsilon: 1e-5 };

function make(given: AdamWOptions, name = (stored: string) => stored) {
  const parameters = Object.entries(shapes).map(([stored, shape]) => ({
    name: name(stored),
    shape,
    value: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  }));
  return new AdamW(given).build(parameters);
}

const grouped = (change: Partial<ParameterGroup> = {}, given: AdamWOptions = {}) =>
  make({ ...options, ...given, groups: [{ match: { maxRank: 1 }, ...others, ...change }] });

describe("parameter groups of the real PyTorch", () => {
  const file = temporaryFolder();
  const path = fixture("groups.pt");

  it("are those of an optimizer that gives every parameter the same, whatever its groups match", async () => {
    const patterns = [
      { match: "dense.*", beta1: 0.85 },
      { match: /bias|scale/, ...others },
    ];
    for (const groups of [patterns, [{ match: { maxRank: 1 }, ...others }]]) {
      const optimizer = make({ ...options, groups, learningRate: 0.5 });
      const { notLoaded } = await optimizer.load(path);
      expect(notLoaded).to.deep.equal([]);
      expect(optimizer.learningRate).to.equal(0.01);
      expect(optimizer.iterations).to.equal(4);
    }
  });

  it("take multiples of whatever rate the optimizer has, which becomes the one that gives theirs", async () => {
    const { weightDecay, beta2, epsilon } = others;
    const optimizer = make({
      ...options,
      weightDecay,
      beta2,
      epsilon,
      groups: [{ match: "dense.weight", ...optionsOfWeight, learningRateMultiplier: 0.2 }],
    });
    await optimizer.load(path);
    expect(optimizer.learningRate).to.equal(0.05);
    const keeping = grouped({}, { learningRate: 0.5 });
    await keeping.load(path, { config: "keep" });
    expect(keeping.learningRate).to.equal(0.5);
  });

  it("that give a parameter anything else are an error, or kept out", async () => {
    const whose = "of dense.bias, scale is";
    for (const [optimizer, ...problems] of [
      [
        make(options),
        `learningRateMultiplier ${whose} 5 in the file and 1 here`,
        `weightDecay ${whose} 0 in the file and 0.02 here`,
        `beta2 ${whose} 0.95 in the file and 0.99 here`,
        `epsilon ${whose} 1e-5 in the file and 1e-6 here`,
      ],
      [grouped({ learningRateMultiplier: 2 }), `learningRateMultiplier ${whose} 5 in the file and 2 here`],
      [grouped({}, { weightDecay: 0.3 }), "weightDecay of dense.weight is 0.02 in the file and 0.3 here"],
      [
        grouped({}, { excludeFromWeightDecay: { parameters: ["dense.weight"] } }),
        "weightDecay of dense.weight is 0.02 in the file and 0 here",
      ],
      [grouped({ match: "scale" }), "weightDecay of dense.bias is 0 in the file and 0.02 here"],
      [grouped({ match: "dense.bias" }), "learningRateMultiplier of scale is 5 in the file and 1 here"],
    ] as const) {
      await rejectsLater("CHECKPOINT", optimizer.load(path), ...problems, 'config: "keep"');
      expect(optimizer.iterations).to.equal(0);
      await optimizer.load(path, { config: "keep" });
      expect(optimizer.iterations).to.equal(4);
    }
  });

  it("are not asked about a parameter that is frozen here", async () => {
    const groups = [
      { match: /bias|scale/, ...others },
      { match: "scale", frozen: true, weightDecay: 3 },
    ];
    const { notLoaded } = await make({ ...options, groups }).load(path, { mode: "partial" });
    expect(notLoaded.map(({ name }) => name)).to.include("scale.exp_avg");
  });

  it("are those of the parameters under their new names", async () => {
    const old = { bias: "dense.bias", s: "scale" };
    const rename = { "dense.bias": "bias", scale: "s" };
    const newName = (name: string) => ({ "dense.bias": "bias", scale: "s" })[name] ?? name;
    const optimizer = make({ ...options, groups: [{ match: /^(bias|s)$/, ...others }] }, newName);
    await optimizer.load(path, { rename });
    expect(optimizer.learningRate).to.equal(0.01);
    await optimizer.save(file("renamed.safetensors"));
    await grouped().load(file("renamed.safetensors"), { rename: old });
    await rejectsLater(
      "CHECKPOINT",
      grouped({ weightDecay: 1 }).load(file("renamed.safetensors"), { rename: old }),
      "weightDecay of dense.bias, scale is 0 in the file and 1 here",
    );
  });

  it("are groups of ours that match exactly their parameters, and come back from every format that has them", async () => {
    const read = async (from: string) => {
      const checkpoint = await openCheckpoint(from);
      await checkpoint.close();
      return checkpoint;
    };
    const configOf = ({ optimizer }: Awaited<ReturnType<typeof read>>) => JSON.parse(JSON.stringify(optimizer?.config));
    const checkpoint = await read(path);
    const config = configOf(checkpoint);
    const { learningRate, parameters } = checkpoint;
    expect(learningRate).to.equal(0.01);
    expect(config).to.deep.include({ weight_decay: 0.02, beta_1: 0.85, beta_2: 0.99, epsilon: 1e-6 });
    for (const name of ["again.pt", "again.safetensors", "back.pt"]) {
      const source = await openCheckpoint(name === "back.pt" ? file("again.safetensors") : path);
      await writeCheckpoint(file(name), source, {});
      await source.close();
      const again = await read(file(name));
      expect(configOf(again), name).to.deep.equal(config);
      expect(again, name).to.deep.include({ learningRate, parameters });
      await grouped().load(file(name));
    }
    const lookalikes = ["dense.weight", "dense.bias", "denseXbias", "dense.bias2", "scale"];
    const rebuilt = AdamW.fromConfig({ ...config, learning_rate: 1 });
    const values = lookalikes.map(() => new Float32Array([1]));
    rebuilt.build(lookalikes.map((name, i) => ({ name, value: values[i] as Float32Array })));
    rebuilt.apply(lookalikes.map(() => new Float32Array([0])));
    expect(values.map(([value]) => value)).to.deep.equal([0.98, 1, 0.98, 0.98, 1].map(Math.fround));
  });

  it("keep to their parameters in a checkpoint that gets other names, and so do groups and exclusions of ours", async () => {
    const groups = [{ match: "dense.*", epsilon: 1e-5 }];
    const ours = make({ ...options, groups, excludeFromWeightDecay: { names: ["bias"] } });
    await ours.save(file("ours.safetensors"));
    for (const [from, first, second] of [
      [path, { match: /^(y|dense.z)$/, ...others }, { match: "x(w)", ...optionsOfWeight }],
      [file("ours.safetensors"), { match: /x|y/, epsilon: 1e-5 }, { match: "y", weightDecay: 0 }],
    ] as const) {
      const source = await openCheckpoint(from);
      const table: Record<string, string> = { "dense.weight": "x(w)", "dense.bias": "y", scale: "dense.z" };
      await writeCheckpoint(file("other.safetensors"), renameCheckpoint(source, table), {});
      await source.close();
      const other = (groups: readonly ParameterGroup[]) =>
        make({ ...options, groups }, (name) => table[name] as string).load(file("other.safetensors"));
      expect((await other([first, second])).notLoaded).to.deep.equal([]);
      await rejectsLater("CHECKPOINT", other([]), "weightDecay of y", "is 0 in the file and 0.02 here");
    }
  });

  it("that differ in amsgrad are an error to load, and to write in any format", async () => {
    const mixed = fixture("mixed.pt");
    await rejectsLater(
      "CHECKPOINT",
      make({ ...options, amsgrad: false }).load(mixed, { mode: "partial" }),
      "amsgrad is [false, true] in the file and false here",
    );
    const kept = make({ ...options, amsgrad: false });
    await kept.load(mixed, { mode: "partial", config: "keep" });
    expect(kept.iterations).to.equal(4);
    const source = await openCheckpoint(mixed);
    for (const name of ["mixed.pt", "mixed.safetensors"]) {
      const problem = "its parameter groups differ in amsgrad, which all parameters have in common here";
      await rejectsLater("CHECKPOINT", writeCheckpoint(file(name), source, {}), problem);
      expect(() => readFileSync(file(name))).to.throw("ENOENT");
    }
    await source.close();
  });
});

describe("parameter groups in files of ours", () => {
  const file = temporaryFolder();

  it("are compared by what they give each parameter, in a .pt too", async () => {
    for (const name of ["own.pt", "own.safetensors"]) {
      const saved = grouped({}, { learningRate: 0.1 });
      saved.apply(Object.values(shapes).map((shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1)));
      await saved.save(file(name));
      const same = make({
        ...options,
        groups: [
          { match: "**", ...others },
          { match: "dense.weight", ...optionsOfWeight },
        ],
      });
      await same.load(file(name));
      expect(same.learningRate).to.equal(0.1);
      const excluding = grouped({ weightDecay: 0.5 }, { excludeFromWeightDecay: { names: ["bias", "scale"] } });
      await excluding.load(file(name));
      await rejectsLater(
        "CHECKPOINT",
        grouped({ learningRateMultiplier: 2, weightDecay: 0.5 }, { weightDecay: 0.7 }).load(file(name)),
        "learningRateMultiplier of dense.bias, scale is 5 in the file and 2 here",
        "weightDecay of dense.weight is 0.02 in the file and 0.7 here",
        "weightDecay of dense.bias, scale is 0 in the file and 0.5 here",
      );
    }
  });

  it("are compared and renamed inside a loss scaler", async () => {
    const scaled = (name: string, weightDecay: number) => {
      const groups = [{ match: name, weightDecay }];
      const parameters = [name, "other"].map((each) => ({ name: each, value: new Float32Array(1) }));
      return new LossScaleOptimizer(new AdamW({ groups })).build(parameters);
    };
    await scaled("a", 0.5).save(file("scaled.safetensors"));
    const source = await openCheckpoint(file("scaled.safetensors"));
    await writeCheckpoint(file("renamed.safetensors"), renameCheckpoint(source, { a: "b" }), {});
    await source.close();
    expect((await scaled("b", 0.5).load(file("renamed.safetensors"))).notLoaded).to.deep.equal([]);
    await rejectsLater(
      "CHECKPOINT",
      scaled("b", 0.25).load(file("renamed.safetensors")),
      "innerOptimizer.weightDecay of b is 0.5 in the file and 0.25 here",
    );
  });

  it("take any multiples of a rate of 0, where a schedule of PyTorch ends", async () => {
    await grouped({}, { learningRate: 0 }).save(file("zero.pt"));
    const optimizer = grouped({ learningRateMultiplier: 2 });
    await optimizer.load(file("zero.pt"));
    expect(optimizer.learningRate).to.equal(0);
    const source = await openCheckpoint(file("zero.pt"));
    await source.close();
    expect(JSON.stringify(source.optimizer)).to.contain('"learning_rate_multiplier":5');
  });

  it("that are none are an error of the file", async () => {
    await grouped().save(file("whole.safetensors"));
    const source = await openCheckpoint(file("whole.safetensors"));
    const optimizer = { ...(source.optimizer as SerializedObject), config: { ...options, groups: 5 } };
    await writeCheckpoint(file("none.safetensors"), { ...source, optimizer }, {});
    await source.close();
    const error = await rejectsLater("CHECKPOINT", grouped().load(file("none.safetensors")), "groups", "received 5");
    expect(error.message).to.contain("none.safetensors");
  });

  it("take the same multiples of a schedule", async () => {
    const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 9 });
    const all = (learningRateMultiplier: number) =>
      make({ ...options, learningRate, groups: [{ match: "**", learningRateMultiplier }] });
    for (const name of ["schedule.safetensors", "schedule.pt"]) {
      await all(0.5).save(file(name));
      await all(0.5).load(file(name));
      const difference = "learningRateMultiplier is 0.5 in the file and 1 here";
      await rejectsLater("CHECKPOINT", all(1).load(file(name)), difference);
    }
  });

  it("are said by our own format at a rate of 0 too", async () => {
    await grouped({}, { learningRate: 0 }).save(file("zero.safetensors"));
    const loading = grouped({ learningRateMultiplier: 2 }).load(file("zero.safetensors"));
    await rejectsLater("CHECKPOINT", loading, "is 5 in the file and 2 here");
  });

  it("are compared as JSON has them, whatever a schedule of the caller's own says", async () => {
    class Own {
      at = () => 0.1;
      getConfig = () => ({ at: this.at, none: undefined, power: 2 });
    }
    await grouped({}, { weightDecay: new Own() }).save(file("own.safetensors"));
    const { notLoaded } = await grouped({}, { weightDecay: new Own() }).load(file("own.safetensors"));
    expect(notLoaded).to.deep.equal([]);
  });
});
