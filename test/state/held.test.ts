import { truncateSync } from "node:fs";
import { expect } from "chai";
import { train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
import { temporaryFolder } from "./temporary.js";
import { trained } from "./trainings.js";

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
