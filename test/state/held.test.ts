import { truncateSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, AdamWError } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
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

  /** A large parameter in memory of its own, which `take` takes away while a save of snapshot "stream" reads it. */
  async function saveWhile(value: Float32Array, take: () => void): Promise<unknown> {
    const optimizer = new AdamW().build([{ name: "w", value }]);
    optimizer.apply([new Float32Array(value.length).fill(1)]);
    const path = file("taken");
    await optimizer.save(path, { parameters: true });
    const before = await readFile(path);
    let isTaken = false;
    const progress = ({ done, total }: { done: number; total: number }) => {
      if (isTaken || done < 0.8 * total) return;
      isTaken = true;
      take();
    };
    const outcome = await optimizer.save(path, { snapshot: "stream", parameters: true, progress }).catch((e) => e);
    expect((await readFile(path)).equals(before)).to.equal(true);
    expect(isTaken).to.equal(true);
    return outcome;
  }

  it("finds that a parameter lost its memory while it is written, and the old file stays", async () => {
    const length = 5_000_000;
    const given = new Float32Array(length);
    expect(await saveWhile(given, () => structuredClone(given.buffer, { transfer: [given.buffer] })))
      .to.be.an.instanceOf(AdamWError)
      .with.property("code", "DETACHED");
    const buffer: ArrayBuffer & { resize?(bytes: number): void } = Reflect.construct(ArrayBuffer, [
      4 * length,
      { maxByteLength: 4 * length },
    ]);
    expect(await saveWhile(new Float32Array(buffer), () => buffer.resize?.(8)))
      .to.be.an.instanceOf(AdamWError)
      .with.property("code", "LENGTH_MISMATCH");
  });

  it("finds at once that a parameter has lost its memory, and is free again", async () => {
    for (const snapshot of ["copy", "stream"] as const) {
      const given = new Float32Array(4);
      const optimizer = new AdamW().build([{ name: "w", value: given }]);
      structuredClone(given.buffer, { transfer: [given.buffer] });
      await rejectsLater("DETACHED", optimizer.save(file("gone"), { snapshot, parameters: true }), "the value of w");
      optimizer.dispose();
    }
  });

  it("is as new after a save from the state itself: a load reads it once", async () => {
    const optimizer = new AdamW().build([{ name: "w", value: new Float32Array(1000) }]);
    await optimizer.save(file("new"), { snapshot: "stream" });
    const progress = ({ done, total }: { done: number; total: number }) => {
      if (done === total) truncateSync(file("new"), 100);
    };
    await optimizer.load(file("new"), { progress });
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
