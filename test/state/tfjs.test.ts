import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { AdamWOptions } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";
import { close, names, options, ours, saveState, setState, settings, startBackend, theirs, wave } from "./tfjs-peer.js";

describe("states of the real TensorFlow.js", () => {
  const file = temporaryFolder();
  let adam: ReturnType<typeof theirs>;

  before(startBackend);
  beforeEach(() => {
    adam = theirs();
  });
  afterEach(() => adam.dispose());

  for (const group of [undefined, "optimizer"] as const) {
    it(`go on here as there, ${group ? "as tfjs-layers saves them" : "as getWeights gives them"}`, async () => {
      adam.train(0, 5);
      await saveState(adam.optimizer, file(`from-${group}`), group);
      const { optimizer, values, train } = ours(
        options,
        adam.values().map((value) => value.slice()),
      );
      const report = await optimizer.load(file(`from-${group}`));
      expect([report.format, optimizer.iterations, report.loaded.length]).to.deep.equal(["tfjs", 5, 9]);
      const saved = await adam.optimizer.getWeights();
      const moment = saved.find(({ name }) => name === "dense/kernel/v");
      const { value } = optimizer.variables.find(({ path }) => path.endsWith("dense_kernel_velocity")) ?? {};
      expect(value).to.deep.equal(moment?.tensor.dataSync());
      train(5, 12);
      adam.train(5, 12);
      close(values, adam.values());
    });
  }

  it("are written so that setWeights goes on there as here, in one shard or in many", async () => {
    const { optimizer, values, train } = ours();
    train(0, 5);
    for (const shardBytes of [undefined, 24]) {
      const folder = file(`to-${shardBytes}`);
      const { bytes } = await optimizer.save(folder, { format: "tfjs", parameters: true, shardBytes });
      const files = readdirSync(folder);
      expect(files.length).to.equal(shardBytes ? 1 + Math.ceil(232 / 24) : 2);
      expect(bytes).to.equal(files.reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0));
      const tensors = await setState(adam.optimizer, folder);
      close(
        names.map((name) => tensors[name]?.dataSync() ?? []),
        values,
      );
    }
    adam.dispose();
    adam = theirs(values);
    await setState(adam.optimizer, file("to-24"));
    train(5, 12);
    adam.train(5, 12);
    close(adam.values(), values);
  });

  it("differ when they are not loaded, so that closeness says something", () => {
    adam.train(0, 5);
    const { values, train } = ours(
      options,
      adam.values().map((value) => value.slice()),
    );
    adam.train(5, 6);
    train(5, 6);
    expect(() => close(values, adam.values())).to.throw("expected");
  });

  it("come back from our own files with everything we saved", async () => {
    const first = ours();
    first.train(0, 4);
    const saved = { parameters: true, metadata: { epoch: "3" } };
    await first.optimizer.save(file("own/model.json"), saved);
    // The second save replaces the first, whose shards go.
    await first.optimizer.save(file("own/model.json"), { ...saved, shardBytes: 100 });
    expect(readdirSync(file("own")).filter((name) => name.endsWith(".bin"))).to.have.length(3);
    const second = ours(
      options,
      names.map((name) => wave(name, 99)),
    );
    const { metadata } = await second.optimizer.load(file("own"));
    expect(metadata).to.deep.equal({ epoch: "3" });
    first.train(4, 9);
    second.train(4, 9);
    expect(second.values).to.deep.equal(first.values);
  });

  it("want the options that TensorFlow.js' Adam has", async () => {
    adam.train(0, 1);
    await saveState(adam.optimizer, file("options"));
    await rejectsLater(
      "CHECKPOINT",
      ours({ ...settings }).optimizer.load(file("options")),
      "formula",
      "weightDecay is",
    );
    const target = { format: "tfjs" } as const;
    const rejected: [AdamWOptions, string][] = [
      [{}, 'formula "torch"'],
      [{ weightDecay: 0.1 }, "weightDecay 0"],
      [{ maximize: true }, "maximize false"],
      [{ amsgrad: true }, "max_exp_avg_sq"],
      [{ useEma: true }, "dense/kernel.ema"],
      [{ groups: [{ match: "scale", beta1: 0.5 }] }, "2 different ones"],
    ];
    for (const [changed, expected] of rejected) {
      const given = expected.startsWith("formula") ? {} : { ...options, ...changed };
      await rejectsLater("INVALID_ARGUMENT", ours(given).optimizer.save(file("no"), target), expected);
    }
    await rejectsLater("INVALID_ARGUMENT", ours().optimizer.save(file("no"), { ...target, keep: 2 }), "keep");
  });

  it("are not written where parameters have different counts", async () => {
    const { optimizer } = ours();
    optimizer.apply({ scale: Float32Array.of(1) });
    await rejectsLater("CHECKPOINT", optimizer.save(file("no.json")), '"scale.step"', "1 updates");
  });
});
