import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, CheckpointError, CheckpointManager } from "../../lib/index.js";
import { rejects } from "../rejects.js";
import { temporaryFolder } from "../temporary.js";
import { makeManaged as make, checkpointName as name } from "./managed.js";
import { rejectsLater } from "./rejects-later.js";

describe("CheckpointManager", () => {
  const file = temporaryFolder();

  it("wants an optimizer, first of all", () => {
    rejects(() => new CheckpointManager({} as never, { folder: file("none") }), "an AdamW or a LossScaleOptimizer");
  });

  it("saves every so many steps, keeps so many, and points at the newest", async () => {
    const { optimizer, step } = make();
    const manager = new CheckpointManager(optimizer, { folder: file("steps"), everySteps: 2, keep: 2 });
    for (let i = 0; i < 9; i += 1) {
      step();
      await manager.afterStep();
    }
    expect((await readdir(file("steps"))).sort()).to.deep.equal([name(6), name(8), "latest"]);
    expect(await readFile(file("steps", "latest"), "utf8")).to.equal(`${name(8)}\n`);
    expect(await manager.checkpoints()).to.deep.equal([name(8), name(6)]);
  });

  it("counts updates, of which accumulation makes one of several steps", async () => {
    const { optimizer, step } = make({ gradientAccumulationSteps: 3 });
    const manager = new CheckpointManager(optimizer, { folder: file("updates"), everySteps: 2 });
    const saved: number[] = [];
    for (let i = 1; i <= 13; i += 1) {
      step();
      const before = (await manager.checkpoints()).length;
      await manager.afterStep();
      if ((await manager.checkpoints()).length > before) saved.push(i);
    }
    expect(saved).to.deep.equal([6, 12]);
  });

  it("says in each file what is said of that save, and resumes with it", async () => {
    const { optimizer, step } = make();
    const folder = file("metadata");
    const save = { metadata: { run: "a", batch: "none" } };
    const manager = new CheckpointManager(optimizer, { folder, everySteps: 2, save });
    for (let batch = 1; batch <= 3; batch += 1) {
      step();
      await manager.afterStep({ metadata: { batch: String(batch) } });
    }
    const resumed = () => new CheckpointManager(make().optimizer, { folder }).resume();
    expect((await resumed())?.metadata).to.deep.equal({ run: "a", batch: "2" });
    await manager.save();
    expect((await resumed())?.metadata).to.deep.equal({ run: "a", batch: "none" });
    await manager.save({ metadata: { batch: "3" } });
    expect((await resumed())?.metadata).to.deep.equal({ run: "a", batch: "3" });
    rejects(() => manager.afterStep({ metadata: { batch: 4 } } as never), "for metadata.batch but received 4");
    await rejectsLater("INVALID_ARGUMENT", manager.save({ batch: "4" } as never), "the options of save");
    const wrong = { folder, save: { metadata: 3 } } as never;
    rejects(() => new CheckpointManager(optimizer, wrong), "an object of strings for save.metadata");
    const typed = { folder, save: { metadata: { run: 3 } } } as never;
    rejects(() => new CheckpointManager(optimizer, typed), "a string", "for save.metadata.run but received 3");
  });

  it("resumes from the newest that is whole, and names the damaged", async () => {
    await writeFile(file("steps", name(8)), (await readFile(file("steps", name(8)))).subarray(0, -1));
    const { optimizer, step } = make();
    const manager = new CheckpointManager(optimizer, { folder: file("steps"), keep: 1 });
    const report = await manager.resume();
    expect(optimizer.iterations).to.equal(6);
    expect(report?.damaged.map(({ path }) => path)).to.deep.equal([file("steps", name(8))]);
    step();
    await manager.save();
    expect(await manager.checkpoints(), "the last good one stays, whatever its number").to.include(name(7));
    const again = make();
    await new CheckpointManager(again.optimizer, { folder: file("steps") }).resume();
    expect(again.optimizer.iterations).to.equal(7);
  });

  it("does not take a checkpoint of another model for a damaged one", async () => {
    const optimizer = new AdamW();
    optimizer.build([{ name: "v", value: new Float32Array(50) }]);
    const manager = new CheckpointManager(optimizer, { folder: file("steps") });
    const error = await rejectsLater("CHECKPOINT", manager.resume(), "does not fit");
    expect(error).to.not.be.instanceOf(CheckpointError);
  });

  it("saves the parameters too, unless told not to", async () => {
    const build = (seed: number) => {
      const value = new Float32Array(50).fill(seed);
      return { value, optimizer: new AdamW().build([{ name: "w", value }]) };
    };
    const [trained, fresh, other] = [build(1), build(2), build(3)];
    trained.optimizer.apply([new Float32Array(50).fill(1)]);
    await new CheckpointManager(trained.optimizer, { folder: file("values") }).save();
    await new CheckpointManager(fresh.optimizer, { folder: file("values") }).resume();
    expect(fresh.value).to.deep.equal(trained.value);
    const save = { parameters: false };
    await new CheckpointManager(trained.optimizer, { folder: file("state"), save }).save();
    await new CheckpointManager(other.optimizer, { folder: file("state") }).resume();
    expect(other.value).to.deep.equal(new Float32Array(50).fill(3));
  });

  it("must know when to save", () => {
    const manager = new CheckpointManager(make().optimizer, { folder: file("never") });
    expect(() => manager.afterStep())
      .to.throw("everySteps")
      .with.property("code", "INVALID_ARGUMENT");
  });

  it("resumes from nothing without an error", async () => {
    const manager = new CheckpointManager(make().optimizer, { folder: file("none") });
    expect(await manager.resume()).to.equal(null);
    await mkdir(file("none"));
    expect(await manager.resume()).to.equal(null);
  });

  it("does not begin anew in silence where the last checkpoint is gone", async () => {
    const folder = file("gone");
    const { optimizer, step } = make();
    const manager = new CheckpointManager(optimizer, { folder });
    for (let i = 0; i < 2; i += 1) {
      step();
      await manager.save();
    }
    const resume = () => new CheckpointManager(make().optimizer, { folder }).resume();
    await rm(file("gone", name(2)));
    const report = await resume();
    expect(report?.path).to.equal(file("gone", name(1)));
    expect(report?.damaged.map(({ path, message }) => [path, message.includes("is gone")])).to.deep.equal([
      [file("gone", name(2)), true],
    ]);
    await rm(file("gone", name(1)));
    const error = await rejectsLater("CHECKPOINT", resume(), file("gone", name(2)), "latest", "is gone");
    expect(error).to.be.instanceOf(CheckpointError);
    await rm(file("gone", "latest"));
    expect(await resume()).to.equal(null);
    await mkdir(file("gone", "latest"));
    await rejectsLater("FILE", resume(), "latest: it is a folder");
  });

  it("says where no folder can be made", async function () {
    if (process.platform !== "linux") {
      console.log("no folder can be made: skipped: only Linux has /proc");
      this.skip();
    }
    for (const [folder, parent] of [
      ["/proc/fused-adamw", "/proc"],
      ["/proc/self/fused-adamw/deep", "/proc/self"],
    ] as const) {
      const { optimizer } = make();
      const message = `${folder}: no folder can be made in ${parent}`;
      expect((await rejectsLater("FILE", new CheckpointManager(optimizer, { folder }).save())).message).to.equal(
        message,
      );
      expect((await rejectsLater("FILE", optimizer.save(folder, { shardBytes: 100 }))).message).to.equal(message);
    }
  });

  it("makes the folders that its folder is in", async () => {
    const manager = new CheckpointManager(make().optimizer, { folder: file("made", "deep", "er") });
    await manager.save();
    expect(await manager.checkpoints()).to.deep.equal([name(0)]);
  });

  it("saves after minutes, one save at a time, and folders too", async () => {
    const { optimizer, step } = make();
    const options = { folder: file("minutes"), everyMinutes: 1e-9, save: { shardBytes: 100 } };
    const manager = new CheckpointManager(optimizer, options);
    for (let i = 0; i < 3; i += 1) {
      step();
      manager.afterStep();
    }
    await manager.finish();
    expect(await manager.checkpoints()).to.deep.equal(["checkpoint-000000000003", "checkpoint-000000000001"]);
  });

  describe("with folders of files", () => {
    const save = { shardBytes: 100 };
    const folderName = (iteration: number) => name(iteration).replace(".safetensors", "");

    it("is a fresh start after a first save that was interrupted", async () => {
      await mkdir(file("first", folderName(7)), { recursive: true });
      const manager = new CheckpointManager(make().optimizer, { folder: file("first"), save });
      expect(await manager.checkpoints()).to.deep.equal([]);
      expect(await manager.resume()).to.equal(null);
    });

    for (const format of ["fused-adamw", "tfjs"] as const) {
      it(`leaves no folder behind when a first save fails: ${format}`, async () => {
        const stop = new AbortController();
        const optimizer = new AdamW({ formula: "torch", weightDecay: 0 });
        optimizer.build([{ name: "w", value: new Float32Array(50) }]);
        const options = { ...save, format, signal: stop.signal, progress: () => stop.abort() };
        const manager = new CheckpointManager(optimizer, { folder: file("failed"), save: options });
        await rejectsLater("ABORTED", manager.save());
        expect(await readdir(file("failed"))).to.deep.equal([]);
      });
    }

    it("does not count unfinished folders, and removes them and the files of crashed saves", async () => {
      const { optimizer, step } = make();
      const manager = new CheckpointManager(optimizer, { folder: file("count"), save, keep: 2 });
      step();
      await manager.save();
      step();
      await mkdir(file("count", folderName(2)));
      const left = file("count", `.${name(2)}.00000000.1.00000000.tmp`);
      await writeFile(left, "half");
      await utimes(left, 0, 0);
      step();
      await manager.save();
      expect((await readdir(file("count"))).sort()).to.deep.equal([folderName(1), folderName(3), "latest"]);
      expect(await manager.checkpoints()).to.deep.equal([folderName(3), folderName(1)]);
    });

    it("falls back from a folder that lacks a file", async () => {
      const [shard = ""] = (await readdir(file("count", folderName(3)))).filter((entry) => /-of-/.test(entry));
      await rm(file("count", folderName(3), shard));
      const { optimizer } = make();
      const report = await new CheckpointManager(optimizer, { folder: file("count"), save }).resume();
      expect(optimizer.iterations).to.equal(1);
      expect(report?.damaged.map(({ key }) => key)).to.deep.equal([shard]);
      await rejectsLater("CHECKPOINT", optimizer.load(file("first", folderName(7))), "never finished");
    });

    it("takes TensorFlow.js' folders for what they are", async () => {
      const optimizer = new AdamW({ formula: "torch", weightDecay: 0 });
      optimizer.build([{ name: "w", value: new Float32Array(50) }]);
      const options = { folder: file("tfjs"), save: { format: "tfjs", ...save } } as const;
      await new CheckpointManager(optimizer, options).save();
      expect(await new CheckpointManager(optimizer, options).checkpoints()).to.deep.equal([folderName(0)]);
    });
  });

  it("throws the failure of a save at the next call", async () => {
    const { optimizer, step } = make();
    await writeFile(file("blocked"), "a file");
    const manager = new CheckpointManager(optimizer, { folder: file("blocked"), everySteps: 1 });
    step();
    manager.afterStep();
    await manager.finish().then(
      () => expect.fail("no error"),
      (error) => expect(error.code).to.equal("FILE"),
    );
    await manager.finish();
  });
});
