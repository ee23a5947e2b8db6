import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { CheckpointManager } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { makeManaged as make, checkpointName as name } from "./managed.js";
import { rejectsLater } from "./rejects-later.js";

describe("saves that come due faster than they are written", () => {
  const file = temporaryFolder();
  const quick = async (folder: string, after: (manager: CheckpointManager, i: number) => unknown) => {
    const { optimizer, step } = make();
    const manager = new CheckpointManager(optimizer, { folder: file(folder), everySteps: 1, keep: 9 });
    for (let i = 1; i <= 5; i += 1) {
      step();
      await after(manager, i);
    }
    return { manager, optimizer, step };
  };
  const batch = (i: number) => ({ metadata: { batch: String(i) } });

  it("are all made for who awaits", async () => {
    const { manager } = await quick("awaited", (manager, i) => manager.afterStep(batch(i)));
    expect(await manager.checkpoints()).to.deep.equal([5, 4, 3, 2, 1].map(name));
  });

  it("are the first and the newest for who does not, each named and described as what it is", async () => {
    const { manager } = await quick("left", (manager, i) => void manager.afterStep(batch(i)));
    await manager.finish();
    expect(await manager.checkpoints()).to.deep.equal([5, 1].map(name));
    const { optimizer } = make();
    const report = await new CheckpointManager(optimizer, { folder: file("left") }).resume();
    expect([optimizer.iterations, report?.metadata.batch]).to.deep.equal([5, "5"]);
    await manager.finish();
    expect(await manager.checkpoints(), "once").to.deep.equal([5, 1].map(name));
  });

  it("are made at the first call after the last one was written", async () => {
    const { manager } = await quick("mixed", (manager, i) =>
      i === 3 ? manager.afterStep() : void manager.afterStep(),
    );
    expect(await manager.checkpoints()).to.include.members([3, 1].map(name));
  });

  it("are not made of a state that nobody described", async () => {
    const { manager, step } = await quick("gone", (manager, i) => void manager.afterStep(batch(i)));
    step();
    await manager.finish();
    expect(await manager.checkpoints()).to.deep.equal([name(1)]);
  });

  it("are not made of a micro-step that nobody described", async () => {
    const { optimizer, step } = make({ gradientAccumulationSteps: 4 });
    const manager = new CheckpointManager(optimizer, { folder: file("micro"), everySteps: 1, keep: 9 });
    for (let i = 1; i <= 8; i += 1) {
      step();
      void manager.afterStep(batch(i));
    }
    step();
    await manager.finish();
    expect(await manager.checkpoints()).to.deep.equal([name(1)]);
  });

  it("keep what was said of the very state when it is saved once more without a word", async () => {
    const { manager, step } = await quick("again", (manager, i) => manager.afterStep(batch(i)));
    await manager.save();
    const { optimizer } = make();
    const resume = () => new CheckpointManager(optimizer, { folder: file("again") }).resume();
    expect((await resume())?.metadata).to.deep.equal({ batch: "5" });
    step();
    await manager.save();
    expect((await resume())?.metadata, "another state").to.deep.equal({});
  });

  it("fail where they are awaited, once", async () => {
    const { optimizer, step } = make();
    await writeFile(file("in-the-way"), "a file");
    const manager = new CheckpointManager(optimizer, { folder: file("in-the-way"), everySteps: 1 });
    step();
    await rejectsLater("FILE", Promise.resolve(manager.afterStep()));
    await manager.finish();
    step();
    expect(await manager.afterStep().catch(({ code }) => code)).to.equal("FILE");
    step();
    void manager.afterStep();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await rejectsLater("FILE", manager.resume());
  });
});
