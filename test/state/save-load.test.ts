import { truncateSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, type AdamWOptions, CheckpointError, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { indexName } from "../../lib/state/own-format.js";
import { openSafetensors } from "../../lib/state/safetensors-reader.js";
import { type Case, cases, fingerprint, make, train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
import { temporaryFolder } from "./temporary.js";

const rich = cases.find(({ name }) => name === "averages, accumulation and amsgrad") as Case;

function trained(chosen: Case = rich, steps = 5) {
  const training = make(chosen);
  train(training, 0, steps);
  return training;
}

function simple(options: AdamWOptions, ...lengths: number[]) {
  const optimizer = new AdamW(options);
  const values = lengths.map((length) => new Float32Array(length).fill(1));
  optimizer.build(values.map((value, i) => ({ name: `p${i}`, value })));
  const step = (scale = 1) => optimizer.apply(values.map((value) => value.map((_, i) => scale * Math.sin(i + 1))));
  return { optimizer, values, step };
}

describe("saving", () => {
  const file = temporaryFolder();

  it("names tensors <parameter>.<slot> and says what the optimizer was", async () => {
    const { optimizer } = trained();
    const report = await optimizer.save(file("a"), { metadata: { epoch: "3" } });
    const { tensors, metadata, close } = await openSafetensors(file("a"));
    await close();
    const names = tensors.map(({ name }) => name);
    expect(names).to.include.members([
      "dense/kernel.step",
      "dense/kernel.exp_avg",
      "dense/kernel.exp_avg_sq",
      "dense/kernel.max_exp_avg_sq",
      "dense/kernel.ema",
      "dense/kernel.grad_accumulator",
    ]);
    expect(names).to.not.include("dense/kernel.param");
    expect(JSON.parse(metadata.optimizer as string).config.amsgrad).to.equal(true);
    expect(JSON.parse(metadata.counters as string).steps).to.equal(5);
    expect(report.bytes).to.equal((await stat(file("a"))).size);
    expect(report.tensors).to.equal(tensors.length);
    expect(report.stallMs).to.be.within(0, report.totalMs);
  });

  it("copies the state at once, so that steps may follow while it is written", async () => {
    const training = trained();
    const before = fingerprint(training);
    const saving = training.optimizer.save(file("copy"), { parameters: true });
    train(training, 5, 7);
    await saving;
    const restored = make(rich);
    await restored.optimizer.load(file("copy"));
    expect(fingerprint(restored)).to.equal(before);
  });

  it("reads the state where it is when asked to stream, and steps wait", async () => {
    const training = trained();
    const saving = training.optimizer.save(file("stream"), { snapshot: "stream", parameters: true });
    expect(() => train(training, 5, 6))
      .to.throw("being saved")
      .with.property("code", "BUSY");
    const { stallMs, totalMs } = await saving;
    expect(stallMs).to.equal(totalMs);
    const restored = make(rich);
    await restored.optimizer.load(file("stream"));
    expect(fingerprint(restored)).to.equal(fingerprint(training));
    train(training, 5, 6);
  });

  it("takes one copy at a time", async () => {
    const { optimizer } = trained();
    const first = optimizer.save(file("one"));
    await rejectsLater("BUSY", optimizer.save(file("two")), "still being written");
    await first;
    await optimizer.save(file("two"));
  });

  it("saves also what no JSON can name", async () => {
    const rate = (
      () => () =>
        0.5
    )();
    const { optimizer, step } = simple({ learningRate: rate }, 3);
    step();
    await optimizer.save(file("unnamed"));
    const other = simple({ learningRate: rate }, 3);
    await other.optimizer.load(file("unnamed"));
    expect(other.optimizer.iterations).to.equal(1);
  });

  it("leaves the old file and nothing else when it fails or is stopped", async () => {
    const { optimizer } = trained();
    await optimizer.save(file("kept"));
    const before = await readFile(file("kept"));
    const names = await readdir(file());
    const controller = new AbortController();
    const stopping = optimizer.save(file("kept"), { signal: controller.signal, progress: () => controller.abort() });
    await rejectsLater("ABORTED", stopping);
    await rejectsLater("ABORTED", optimizer.save(file("kept"), { signal: AbortSignal.abort() }));
    const fails = () => {
      throw new Error("no room");
    };
    await optimizer.save(file("kept"), { progress: fails }).then(
      () => expect.fail("no error"),
      (error: Error) => expect(error.message).to.equal("no room"),
    );
    const missing = await rejectsLater("FILE", optimizer.save(file("missing", "deep")));
    expect(missing.message).to.equal(`${file("missing", "deep")}: the folder ${file("missing")} does not exist`);
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(""), "path");
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("kept"), { sharedBytes: 4 } as object), "shardBytes");
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("kept"), { keep: 2, shardBytes: 4 }), "keep");
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("kept.pt"), { shardBytes: 4 }), "shardBytes", "torch");
    expect(await readFile(file("kept"))).to.deep.equal(before);
    expect(await readdir(file())).to.deep.equal(names);
    await optimizer.save(file("kept"));
  });

  it("says how far it is", async () => {
    const { optimizer } = trained();
    const seen: number[] = [];
    await optimizer.save(file("progress"), { progress: ({ done, total }) => seen.push(done / total) });
    expect(seen).to.deep.equal([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).to.equal(1);
  });

  it("keeps so many files, the newest first", async () => {
    const { optimizer, step } = simple({}, 2);
    for (let i = 1; i <= 5; i += 1) {
      step();
      await optimizer.save(file("rotated"), { keep: 3 });
    }
    const names = (await readdir(file())).filter((name) => name.startsWith("rotated"));
    expect(names.sort()).to.deep.equal(["rotated", "rotated.1", "rotated.2"]);
    const counts = [];
    for (const name of names) {
      const other = simple({}, 2);
      await other.optimizer.load(file(name));
      counts.push(other.optimizer.iterations);
    }
    expect(counts).to.deep.equal([5, 4, 3]);
  });

  it("writes a folder of files with an index above the size the caller sets, and replaces it as a whole", async () => {
    const training = trained();
    await training.optimizer.save(file("folder"), { shardBytes: 9000, parameters: true });
    train(training, 5, 6);
    const { bytes } = await training.optimizer.save(file("folder"), { shardBytes: 9000, parameters: true });
    const names = await readdir(file("folder"));
    expect(names).to.include(indexName);
    const sizes = await Promise.all(names.map(async (name) => (await stat(file("folder", name))).size));
    expect(sizes.reduce((a, b) => a + b, 0)).to.equal(bytes);
    const index = JSON.parse(await readFile(file("folder", indexName), "utf8"));
    expect(new Set(Object.values(index.weight_map)).size)
      .to.equal(names.length - 1)
      .above(3);
    const restored = make(rich);
    await restored.optimizer.load(file("folder"));
    expect(fingerprint(restored)).to.equal(fingerprint(training));
  });
});

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
    expect({ ...report.metadata }).to.deep.equal({ epoch: "3" });
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

  it("wants the same options, or to be told to keep its own", async () => {
    const { optimizer, step } = simple({ beta1: 0.8, globalClipnorm: 1 }, 3);
    step();
    await optimizer.save(file("options"));
    const other = simple({ beta1: 0.9, name: "other" }, 3);
    await rejectsLater(
      "CHECKPOINT",
      other.optimizer.load(file("options")),
      "beta1 is 0.8 in the file and 0.9 here",
      "globalClipnorm is 1 in the file and null here",
      'config: "keep"',
    );
    expect(other.optimizer.iterations).to.equal(0);
    await other.optimizer.load(file("options"), { config: "keep" });
    expect(other.optimizer.iterations).to.equal(1);
    const scaled = new LossScaleOptimizer(new AdamW({ beta1: 0.8, globalClipnorm: 1 }));
    scaled.build([{ name: "p0", value: new Float32Array(3) }]);
    await rejectsLater("CHECKPOINT", scaled.load(file("options")), "the optimizer is AdamW in the file");
    await scaled.load(file("options"), { config: "keep" });
    expect(scaled.lossScale).to.equal(2 ** 15);
    await scaled.save(file("scaled"));
    const limited = new LossScaleOptimizer(new AdamW(), { initialScale: 8, maximumScale: 16 });
    limited.build([{ name: "p0", value: new Float32Array(3) }]);
    await rejectsLater("CHECKPOINT", limited.load(file("scaled"), { config: "keep" }), "to maximumScale 16");
    expect(limited.lossScale).to.equal(8);
  });

  it("calls options that differ what they are called in TypeScript, in groups and schedules too", async () => {
    const cosine = (decaySteps: number) => new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps });
    const group = { match: /bias$/, optional: true };
    const { optimizer } = simple({ learningRate: cosine(9), groups: [{ ...group, weightDecay: 0 }] }, 3);
    await optimizer.save(file("called"));
    const other = (options: AdamWOptions) => simple(options, 3).optimizer.load(file("called"));
    await rejectsLater(
      "CHECKPOINT",
      other({ learningRate: cosine(8), groups: [{ ...group, learningRateMultiplier: 2 }] }),
      "learningRate.decaySteps is 9 in the file and 8 here",
      "groups is [{ match: /bias$/, weightDecay: 0, optional: true }] in the file and",
      "learningRateMultiplier: 2",
    );
    await rejectsLater(
      "CHECKPOINT",
      other({}),
      "learningRate is CosineDecay in the file and 0.001",
      "and the default here",
    );
    const join = new schedules.Join({ schedules: [cosine(9)], boundaries: [] });
    await rejectsLater(
      "CHECKPOINT",
      other({ learningRate: join }),
      "learningRate is CosineDecay in the file and Join here",
    );
  });

  it("is strict: it lists everything that does not fit, and changes nothing", async () => {
    const { optimizer, step } = simple({}, 3, 4);
    step();
    await optimizer.save(file("strict"));
    const other = new AdamW();
    other.build([
      { name: "p0", value: new Float32Array(5) },
      { name: "q", value: new Float32Array(4) },
    ]);
    const before = other.variables.map(({ value }) => value);
    await rejectsLater(
      "CHECKPOINT",
      other.load(file("strict")),
      "p0.exp_avg (shape [3] where [5] is expected)",
      "q.exp_avg (the file has no such tensor)",
      "p1.step (the optimizer has no such tensor)",
    );
    expect(other.variables.map(({ value }) => value)).to.deep.equal(before);
  });

  it("loads what fits when asked for a part, and lists the rest", async () => {
    const other = new AdamW();
    const value = new Float32Array(4);
    other.build([
      { name: "p0", value: new Float32Array(5) },
      { name: "p1", value },
    ]);
    const report = await other.load(file("strict"), { mode: "partial" });
    expect(report.loaded).to.have.members(["p0.step", "p1.step", "p1.exp_avg", "p1.exp_avg_sq"]);
    expect(report.notLoaded.map(({ name }) => name)).to.have.members(["p0.exp_avg", "p0.exp_avg_sq"]);
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
    await rejectsLater("ABORTED", loading);
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
    const missing = await rejectsLater("FILE", training.optimizer.load(file("nothing")));
    expect(missing.message).to.equal(`${file("nothing")}: ENOENT: no such file or directory`);
  });
});

describe("an optimizer that is being saved or loaded", () => {
  const file = temporaryFolder();

  it("lets nothing else in, not even dispose()", async () => {
    const training = trained();
    const { variables } = training.optimizer;
    const saving = training.optimizer.save(file("held"), { snapshot: "stream" });
    expect(() => training.optimizer.dispose())
      .to.throw("being saved")
      .with.property("code", "BUSY");
    const [variable] = variables;
    expect(() => training.optimizer.variables[0]?.value).to.throw("being saved");
    expect(() => variable?.value).to.throw("being saved");
    expect(() => {
      training.optimizer.learningRate = 1;
    }).to.throw("being saved");
    await saving;
    const loading = training.optimizer.load(file("held"));
    await rejectsLater("BUSY", training.optimizer.load(file("held")), "being loaded");
    await loading;
    training.optimizer.dispose();
    await rejectsLater("DISPOSED", training.optimizer.save(file("held")));
  });

  it("cannot be either while the parameters hold their averages", async () => {
    const { optimizer } = trained();
    await optimizer.save(file("swapped"));
    optimizer.swapEma();
    await rejectsLater("BUSY", optimizer.save(file("swapped")), "restoreEma");
    await rejectsLater("BUSY", optimizer.load(file("swapped")), "restoreEma");
  });

  it("refuses to step after a file that failed when it was read for the second time, until a load succeeds", async () => {
    const training = trained();
    await training.optimizer.save(file("good"), { parameters: true });
    await training.optimizer.save(file("failing"), { parameters: true });
    // The file is cut after the check has read all of it.
    const progress = ({ done, total }: { done: number; total: number }) => {
      if (done === total) truncateSync(file("failing"), 4000);
    };
    await rejectsLater("CHECKPOINT", training.optimizer.load(file("failing"), { progress }), "load again");
    expect(() => train(training, 5, 6)).to.throw("incomplete");
    await rejectsLater("CHECKPOINT", training.optimizer.save(file("failing")), "incomplete");
    await rejectsLater("CHECKPOINT", training.optimizer.load(file("failing")));
    expect(() => train(training, 5, 6)).to.throw("incomplete");
    await training.optimizer.load(file("good"));
    train(training, 5, 6);
  });
});
