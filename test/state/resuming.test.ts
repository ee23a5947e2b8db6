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
});
