import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { temporaryFolder } from "../temporary.js";
import { cases, close, fixture, make, names, state } from "./keras-cases.js";
import { rejectsLater } from "./rejects-later.js";

describe("states of the real Keras", function () {
  // Every file starts a process, which takes seconds on a busy machine.
  this.timeout(300_000);
  const file = temporaryFolder();

  for (const [name, expected] of Object.entries(cases)) {
    for (const kind of [".keras", ".weights.h5"]) {
      it(`are taken exactly and go on as in Keras: ${name}${kind}`, async () => {
        const { optimizer, values, train } = make(name, [...expected.saved] as number[][]);
        const report = await optimizer.load(fixture(`${name}${kind}`));
        expect(report.format).to.equal("keras");
        expect(state(optimizer)).to.deep.equal(expected.state);
        train(5, 9);
        close(values, expected.end as number[][]);
      });
    }
  }

  // Each takes several processes: one kind of file for each case, every kind among them.
  const exports = ["plain.weights.h5", "everything.keras", "schedule.keras", "scaled.weights.h5", "adam.keras"];
  for (const [index, name] of Object.keys(cases).entries()) {
    const target = exports[index] as string;
    it(`go into a model that Keras saved: ${target}`, async () => {
      const path = join(process.env.FUSED_ADAMW_RECORD ?? file(), target);
      await copyFile(fixture(target), path);
      const { optimizer, train } = make(name);
      const again = make(name);
      train(0, 2);
      await optimizer.save(path);
      await again.optimizer.load(path);
      expect(again.optimizer.iterations).to.equal(optimizer.iterations);
      train(2, 5);
      await optimizer.save(path);
      await again.optimizer.load(path);
      expect(state(again.optimizer)).to.deep.equal(state(optimizer));
      close(state(again.optimizer), cases[name]?.state as number[][]);
    });
  }

  it("want names in Keras' order, and every shape to fit", async () => {
    const { optimizer } = make("plain");
    const swapped = optimizer.load(fixture("plain.keras"), { names: ["d2/kernel", "d1/bias", "d1/kernel", "d2/bias"] });
    await rejectsLater("CHECKPOINT", swapped, "d2/kernel ([3, 4] in the file, [4, 2] here)");
  });

  it("want the same options, and as many variables", async () => {
    await rejectsLater(
      "CHECKPOINT",
      make("everything").optimizer.load(fixture("plain.keras")),
      "useEma (use_ema) is",
      "beta1 (beta_1) is",
    );
    await rejectsLater(
      "CHECKPOINT",
      make("everything").optimizer.load(fixture("plain.weights.h5")),
      "10 variables where",
    );
    const few = make("plain").optimizer.load(fixture("plain.weights.h5"), { names: ["a"] });
    await rejectsLater("CHECKPOINT", few, "for 1 parameters");
    await copyFile(fixture("plain.keras"), file("other.keras"));
    await rejectsLater("CHECKPOINT", make("everything").optimizer.save(file("other.keras")), "beta1 (beta_1)");
    expect(await readFile(file("other.keras"))).to.deep.equal(await readFile(fixture("plain.keras")));
    await rejectsLater("FILE", make("plain").optimizer.save(file("none.keras")), "Keras has to save the model");
  });

  it("have a learning rate of the same kind, which a .weights.h5 says without options", async () => {
    const path = file("rate.weights.h5");
    for (const [theirs, ours, problem] of [
      ["plain", "schedule", "a number in the file and a schedule here"],
      ["schedule", "plain", "a schedule in the file and a number here"],
    ] as const) {
      await copyFile(fixture(`${theirs}.weights.h5`), path);
      const { optimizer, train } = make(ours);
      train(0, 2);
      await rejectsLater("CHECKPOINT", optimizer.save(path), "the learning rate is", problem);
      expect(await readFile(path)).to.deep.equal(await readFile(fixture(`${theirs}.weights.h5`)));
      await rejectsLater("CHECKPOINT", optimizer.load(path), `learningRate (${problem})`);
      expect(optimizer.iterations).to.equal(2);
      const partial = await optimizer.load(path, { mode: "partial" });
      expect(partial.notLoaded).to.deep.equal([{ name: "learningRate", reason: problem }]);
      const kept = await optimizer.load(path, { config: "keep" });
      expect(kept.notLoaded).to.deep.equal([]);
      expect(optimizer.iterations).to.equal(5);
    }
  });

  for (const name of ["plain.weights.h5", "plain.keras"]) {
    it(`are saved with progress, and not once the signal was given: ${name}`, async () => {
      const path = file(name);
      await copyFile(fixture(name), path);
      const { optimizer, train } = make("plain");
      train(0, 2);
      const before = await readFile(path);
      const early = new AbortController();
      const stopped = optimizer.save(path, { signal: early.signal });
      early.abort();
      await rejectsLater("ABORTED", stopped);
      const late = new AbortController();
      await rejectsLater("ABORTED", optimizer.save(path, { signal: late.signal, progress: () => late.abort() }));
      expect(await readFile(path)).to.deep.equal(before);
      const seen: { done: number; total: number }[] = [];
      const options = { parameters: true, metadata: { epoch: "3" } };
      const report = await optimizer.save(path, { ...options, progress: (progress) => seen.push(progress) });
      const place = "not part of the optimizer in Keras' files: left out";
      expect(report.leftOut).to.deep.equal([`parameters are ${place}`, `metadata is ${place}`]);
      expect(report.tensors).to.equal(3 * names.length);
      expect(seen.length).to.be.above(0);
      expect(seen.at(-1)?.done).to.equal(seen.at(-1)?.total).and.above(10_000);
      expect(await readFile(path)).to.not.deep.equal(before);
    });
  }
});
