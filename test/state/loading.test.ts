import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect } from "chai";
import { coreOf } from "../../lib/adamw.js";
import { AdamW, type AdamWOptions, CheckpointError } from "../../lib/index.js";
import { indexName } from "../../lib/state/own-format.js";
import { temporaryFolder } from "../temporary.js";
import { fingerprint, make, train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
import { rich, simple, trained } from "./trainings.js";

describe("loading", () => {
  const file = temporaryFolder();

  before(async () => {
    const training = trained();
    await training.optimizer.save(file("rich"), { parameters: true, metadata: { epoch: "3" } });
  });

  it("reports what it loaded and what was saved with it", async () => {
    const { optimizer } = make(rich);
    const report = await optimizer.load(file("rich"));
    expect(report.format).to.equal("fused-adamw");
    expect(report.loaded).to.include("scale.exp_avg.exp_avg");
    expect(report.notLoaded).to.deep.equal([]);
    expect(report.metadata).to.deep.equal({ epoch: "3" });
  });

  it("gives metadata as an object like any other, whatever its keys", async () => {
    const metadata = JSON.parse('{ "__proto__": "a", "constructor": "b", "epoch": "3" }');
    const formats: [name: string, options: AdamWOptions][] = [
      ["keys.safetensors", {}],
      ["keys.pt", { formula: "torch" }],
      ["keys.json", { formula: "torch", weightDecay: 0 }],
    ];
    for (const [name, options] of formats) {
      const { optimizer, step } = simple(options, 3);
      step();
      await optimizer.save(file(name), { metadata });
      const loaded = (await optimizer.load(file(name))).metadata;
      expect(Object.getPrototypeOf(loaded), name).to.equal(Object.prototype);
      expect(Object.entries(loaded), name).to.have.deep.members(Object.entries(metadata));
    }
  });

  it("leaves the parameters alone when asked to", async () => {
    const training = make(rich);
    const before = training.values.map((value) => value.slice());
    const { loaded } = await training.optimizer.load(file("rich"), { parameters: false });
    expect(training.values).to.deep.equal(before);
    expect(loaded.filter((name) => name.endsWith(".param"))).to.deep.equal([]);
  });

  it("restores the learning rate as a double, and the loss scale of a loss scaler", async () => {
    const { optimizer, step } = simple({ learningRate: 0.1 }, 3);
    optimizer.learningRate = 0.1 + 2 ** -52;
    step();
    await optimizer.save(file("rate"));
    const other = simple({}, 3);
    await other.optimizer.load(file("rate"));
    expect(other.optimizer.learningRate).to.equal(0.1 + 2 ** -52);
    const kept = simple({ learningRate: 7 }, 3);
    await kept.optimizer.load(file("rate"), { config: "keep" });
    expect(kept.optimizer.learningRate).to.equal(7);
  });

  it("takes no learning rate that float32 cannot hold", async () => {
    const { optimizer } = simple({ learningRate: 0.125 }, 3);
    const huge = simple({}, 3).optimizer;
    huge[coreOf].rates.restoreLearningRate(1e39);
    await huge.save(file("huge rate"));
    const loading = optimizer.load(file("huge rate"), { config: "keep" });
    await rejectsLater("CHECKPOINT", loading, "learning_rate", "expected a finite number ≥ 0 in float32");
    expect(optimizer.learningRate).to.equal(0.125);
  });

  it("is strict: it says of each parameter why it does not fit, and changes nothing", async () => {
    const { optimizer, step } = simple({}, 3, 4);
    step();
    await optimizer.save(file("strict"));
    const other = new AdamW();
    other.build([
      { name: "p0", value: new Float32Array(5) },
      { name: "q", value: new Float32Array(4) },
    ]);
    const before = other.variables.map(({ value }) => value);
    const error = await rejectsLater("CHECKPOINT", other.load(file("strict")));
    const problems =
      "parameters only here: q; other shapes: p0 ([3] in the file, [5] here); parameters only in the file: p1";
    expect(error.message).to.contain(`${file("strict")} does not fit the optimizer: ${problems}; nothing was changed`);
    expect(other.variables.map(({ value }) => value)).to.deep.equal(before);
  });

  it("names a few of many parameters that do not fit", async () => {
    const build = (name: string, count: number) =>
      new AdamW().build(Array.from({ length: count }, (_, i) => ({ name: `${name}${i}`, value: new Float32Array(1) })));
    await build("a", 6).save(file("many"));
    await rejectsLater(
      "CHECKPOINT",
      build("b", 9).load(file("many")),
      "parameters only here: b0, b1, b2, b3 and 5 more;",
      "parameters only in the file: a0, a1, a2, a3 and 2 more;",
    );
  });

  it("says which slots of which parameters are missing, are too many or have another type", async () => {
    const build = (options: AdamWOptions) =>
      new AdamW(options).build(["p0", "p1"].map((name) => ({ name, value: new Float32Array(2) })));
    await build({}).save(file("plain"));
    await build({ amsgrad: true, useEma: true }).save(file("more"));
    const keep = { config: "keep" } as const;
    await rejectsLater(
      "CHECKPOINT",
      build({ amsgrad: true, useEma: true }).load(file("plain"), keep),
      "optimizer: ema and max_exp_avg_sq of p0, p1 (the file has no such tensor); nothing",
    );
    await rejectsLater(
      "CHECKPOINT",
      build({ groups: [{ match: "p1", frozen: true }] }).load(file("more"), keep),
      "ema and max_exp_avg_sq of p0 (the optimizer has no such tensor);",
      " of p1 (the optimizer has no such tensor);",
    );
  });

  it("loads what fits when asked for a part, and lists the rest", async () => {
    const other = new AdamW();
    const value = new Float32Array(4);
    other.build([
      { name: "p0", value: new Float32Array(5) },
      { name: "p1", value },
    ]);
    const report = await other.load(file("strict"), { mode: "partial" });
    expect(report.loaded).to.have.members(["p1.step", "p1.exp_avg", "p1.exp_avg_sq"]);
    expect(report.notLoaded.map(({ name }) => name)).to.have.members(["p0.step", "p0.exp_avg", "p0.exp_avg_sq"]);
    expect(other.variables.at(-1)?.value.some((x) => x !== 0)).to.equal(true);
  });

  it("renames by a table or a function, never two to one", async () => {
    const build = () => {
      const other = new AdamW();
      return other.build([
        { name: "model/p0", value: new Float32Array(3) },
        { name: "p1", value: new Float32Array(4) },
      ]);
    };
    await build().load(file("strict"), { rename: { p0: "model/p0" } });
    await build().load(file("strict"), { rename: (name) => (name === "p0" ? "model/p0" : name) });
    await rejectsLater("INVALID_ARGUMENT", build().load(file("strict"), { rename: () => "p1" }), "different names");
    await rejectsLater("INVALID_ARGUMENT", build().load(file("strict"), { rename: { q0: "p0" } }), "(p0, p1)", '"q0"');
    await rejectsLater("INVALID_ARGUMENT", build().load(file("strict"), { rename: (() => 3) as never }), "rename");
    await rejectsLater("INVALID_ARGUMENT", build().load(file("strict"), { rename: { p0: 3 } as never }), "rename");
  });

  it("stops before anything is changed", async () => {
    const training = make(rich);
    const before = fingerprint(training);
    const controller = new AbortController();
    const { signal } = controller;
    const loading = training.optimizer.load(file("rich"), { signal, progress: () => controller.abort() });
    expect(() => train(training, 0, 1)).to.throw("being loaded");
    const stopped = await rejectsLater("ABORTED", loading);
    expect(stopped).to.include({ name: "AdamWError", cause: signal.reason });
    expect(fingerprint(training)).to.equal(before);
  });

  it("finds every flipped bit before anything is changed", async () => {
    const { optimizer, step } = simple({}, 2);
    step();
    await optimizer.save(file("bits"));
    const good = await readFile(file("bits"));
    const other = simple({}, 2);
    const before = other.optimizer.variables.map(({ value }) => value);
    for (let bit = 0; bit < good.length * 8; bit += 5) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      await writeFile(file("bad"), bad);
      const loading = other.optimizer.load(file("bad"));
      // Four bits turn a space of the padding into another white space, which says the same.
      const error = await loading.then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null && good[bit >> 3] === 0x20) {
        await other.optimizer.setWeights(
          other.optimizer.variables.map((variable, i) => ({ ...variable, value: before[i] as Float32Array })),
        );
        continue;
      }
      expect(error, `bit ${bit}`).to.be.instanceOf(CheckpointError);
    }
    expect(other.optimizer.variables.map(({ value }) => value)).to.deep.equal(before);
  });

  it("finds what is missing from a folder", async () => {
    const training = trained();
    await training.optimizer.save(file("folder"), { shardBytes: 9000 });
    const index = JSON.parse(await readFile(file("folder", indexName), "utf8"));
    const fails = async (change: (copy: typeof index) => void, problem: string) => {
      const copy = structuredClone(index);
      change(copy);
      await writeFile(file("folder", indexName), JSON.stringify(copy));
      await rejectsLater("CHECKPOINT", training.optimizer.load(file("folder")), problem);
    };
    const [name = ""] = Object.keys(index.weight_map);
    await fails((copy) => delete copy.weight_map[name], "the index does not say");
    await fails((copy) => (copy.weight_map[name] = "../rich"), "not the name of a file of ours");
    await fails((copy) => (copy.weight_map.more = copy.weight_map[name]), "in no file");
    await fails((copy) => (copy.metadata.counters = "{}"), "checksum");
    await fails((copy) => delete copy.metadata, "expected { metadata, weight_map }");
  });

  it("says where it looked for a file that is missing, and what the system said", async () => {
    const { optimizer } = make(rich);
    const missing = await rejectsLater("FILE", optimizer.load(file("nothing")));
    expect(missing.message).to.equal(`${file("nothing")}: there is no such file or folder`);
    expect(missing.cause).to.be.instanceOf(Error).with.property("code", "ENOENT");
    const name = "no-such-file.pt";
    const relative = await rejectsLater("FILE", optimizer.load(name));
    expect(relative.message).to.equal(`${name}: there is no such file or folder, looked for at ${resolve(name)}`);
    const deep = await rejectsLater("FILE", optimizer.load(`no-such-folder/${name}`));
    expect(deep.message).to.contain(`the folder ${resolve("no-such-folder")} does not exist`);
  });

  it("says that a file is empty", async () => {
    await writeFile(file("empty.pt"), "");
    const error = await rejectsLater("CHECKPOINT", make(rich).optimizer.load(file("empty.pt")));
    expect(error.message).to.equal(`${file("empty.pt")}: the file is empty: 0 bytes`);
  });
});
