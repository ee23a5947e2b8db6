import { join } from "node:path";
import { expect } from "chai";
import { AdamW, CheckpointManager, LossScaleOptimizer } from "../../lib/index.js";
import { makeManaged as make } from "./managed.js";
import { rejectsLater } from "./rejects-later.js";
import { temporaryFolder } from "./temporary.js";

describe("resuming", () => {
  const file = temporaryFolder();

  it("wants build() first, whether there is a checkpoint or not", async () => {
    await new CheckpointManager(make().optimizer, { folder: file("full") }).save();
    for (const folder of [file("missing"), file("full")]) {
      for (const optimizer of [new AdamW(), new LossScaleOptimizer(new AdamW())]) {
        const manager = new CheckpointManager(optimizer, { folder, everySteps: 1 });
        await rejectsLater("NOT_BUILT", manager.resume(), "call build()");
        await rejectsLater("NOT_BUILT", manager.save());
        expect(() => manager.afterStep())
          .to.throw("call build()")
          .with.property("code", "NOT_BUILT");
      }
    }
    const { optimizer } = make();
    const manager = new CheckpointManager(optimizer, { folder: file("full") });
    optimizer.dispose();
    await rejectsLater("DISPOSED", manager.resume());
  });

  it("is what a load of the whole folder is told to do, with the newest by its path", async () => {
    const { optimizer, step } = make();
    for (const shardBytes of [undefined, 100]) {
      const folder = file(`whole-${shardBytes}`);
      const manager = new CheckpointManager(optimizer, { folder, save: { shardBytes } });
      for (let i = 0; i < 2; i += 1) {
        step();
        await manager.save();
      }
      const [newest = ""] = await manager.checkpoints();
      const message = "the folder of a CheckpointManager, which loads the newest with resume(): that is";
      await rejectsLater(
        "CHECKPOINT",
        optimizer.load(folder),
        `${folder}: no checkpoint`,
        message,
        join(folder, newest),
      );
      await optimizer.load(join(folder, newest));
    }
  });
});
