import { readdir, readFile, stat } from "node:fs/promises";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { indexName } from "../../lib/state/own-format.js";
import { openSafetensors } from "../../lib/state/safetensors-reader.js";
import { temporaryFolder } from "../temporary.js";
import { fingerprint, make, train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
import { rich, simple, trained } from "./trainings.js";

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

  it("leaves the old archive of PyTorch's and nothing else when it fails or is stopped", async () => {
    const value = new Float32Array(3 * 2 ** 19);
    const optimizer = new AdamW({ formula: "torch" }).build([{ name: "w", value }]);
    optimizer.apply([value.slice()]);
    await optimizer.save(file("kept.pt"));
    const before = await readFile(file("kept.pt"));
    const names = await readdir(file());
    for (const at of [2 ** 20, 2 ** 22]) {
      const controller = new AbortController();
      const { signal } = controller;
      const progress = ({ done }: { done: number }) => {
        if (done >= at) controller.abort();
      };
      await rejectsLater("ABORTED", optimizer.save(file("kept.pt"), { signal, progress }));
      const fails = ({ done }: { done: number }) => {
        if (done >= at) throw new Error("no room");
      };
      await optimizer.save(file("kept.pt"), { progress: fails }).then(
        () => expect.fail("no error"),
        (error: Error) => expect(error.message).to.equal("no room"),
      );
    }
    expect(await readFile(file("kept.pt"))).to.deep.equal(before);
    expect(await readdir(file())).to.deep.equal(names);
    await optimizer.load(file("kept.pt"));
  });

  it("leaves the old file and nothing else when it fails or is stopped", async () => {
    const { optimizer } = trained();
    await optimizer.save(file("kept"));
    const before = await readFile(file("kept"));
    const names = await readdir(file());
    const controller = new AbortController();
    const stopping = optimizer.save(file("kept"), { signal: controller.signal, progress: () => controller.abort() });
    const stopped = await rejectsLater("ABORTED", stopping);
    expect(stopped).to.include({ name: "AdamWError", cause: controller.signal.reason });
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

  it("takes strings as metadata, and names the key whose value is none", async () => {
    const { optimizer } = trained();
    const wrong: [value: unknown, shown: string][] = [
      [3, "3"],
      [null, "null"],
      [undefined, "undefined"],
      [new Date(0), "an instance of Date"],
      [[1], "[1]"],
    ];
    for (const [epoch, shown] of wrong) {
      const saving = optimizer.save(file("typed"), { metadata: { run: "a", epoch } as never });
      const error = await rejectsLater("INVALID_ARGUMENT", saving);
      const expected = "a string, such as String() or JSON.stringify() gives, for metadata.epoch";
      expect(error.message).to.equal(`Expected ${expected} but received ${shown}`);
    }
    for (const metadata of [3, ["a"], null]) {
      const saving = optimizer.save(file("typed"), { metadata } as never);
      await rejectsLater("INVALID_ARGUMENT", saving, "an object of strings for metadata");
    }
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
