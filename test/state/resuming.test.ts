import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { AdamW, CheckpointError, CheckpointManager, LossScaleOptimizer } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { makeManaged as make, checkpointName as name } from "./managed.js";
import { rejectsLater } from "./rejects-later.js";

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

  it("fails when every checkpoint is damaged, and says how many there are and what is wrong with each", async () => {
    const { optimizer, step } = make();
    const folder = file("damaged");
    const manager = new CheckpointManager(optimizer, { folder });
    await manager.save();
    await writeFile(file("damaged", name(0)), "damaged");
    const one = await rejectsLater("CHECKPOINT", manager.resume(), "the file is a text file");
    expect(one).to.have.property("path", file("damaged", name(0)));
    for (const iteration of [1, 2]) {
      step();
      await manager.save();
      await writeFile(file("damaged", name(iteration)), "");
    }
    const newest = `${file("damaged", name(2))}: the file is empty`;
    const message = `${folder}: none of the 3 checkpoints in it is whole; the newest: ${newest}`;
    const error = await rejectsLater("CHECKPOINT", manager.resume(), message);
    expect(error).to.be.instanceOf(CheckpointError);
    const { errors } = error.cause as { readonly errors: readonly CheckpointError[] };
    expect(errors.map(({ path }) => path)).to.deep.equal(
      [2, 1, 0].map((iteration) => file("damaged", name(iteration))),
    );
  });

  it("takes the options of load", async () => {
    const { optimizer, step } = make({ beta1: 0.5 });
    step();
    await new CheckpointManager(optimizer, { folder: file("options") }).save({ metadata: { epoch: "1" } });
    const other = make();
    const manager = new CheckpointManager(other.optimizer, { folder: file("options") });
    await rejectsLater("CHECKPOINT", manager.resume(), "beta1 is 0.5 in the file and 0.9 here");
    expect(other.optimizer.iterations).to.equal(0);
    expect((await manager.resume({ config: "keep" }))?.metadata).to.deep.equal({ epoch: "1" });
    expect(other.optimizer.iterations).to.equal(1);
    await rejectsLater("INVALID_ARGUMENT", manager.resume({ mood: "good" } as never), '"mood"');
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
