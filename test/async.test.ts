import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { LossScaleOptimizer } from "../lib/loss-scale-optimizer.js";
import { pair, snapshot } from "./optimizers.js";
import { rejectsLater, rejectsWith } from "./rejects.js";

/** An optimizer whose step takes many milliseconds. */
function big(length = 4 << 20) {
  const value = new Float32Array(length).fill(1);
  const gradient = new Float32Array(length).fill(1);
  return new AdamW().build([{ name: "a", value, gradient }]);
}

describe("asynchronous steps", () => {
  it("do what the others do", async () => {
    const [now, later] = [pair({ nonFinite: "skip" }), pair({ nonFinite: "skip" })];
    for (const gradients of [now.gradients, [null, Float32Array.of(Number.NaN, 1)]]) {
      const report = now.optimizer.apply(gradients, { gradientScale: 2 });
      expect(await later.optimizer.applyAsync(gradients, { gradientScale: 2 })).to.deep.equal(report);
      expect(later.optimizer.report).to.deep.equal(report);
    }
    expect(await later.optimizer.stepAsync()).to.deep.equal(now.optimizer.step());
    expect(snapshot(later)).to.deep.equal(snapshot(now));
  });

  it("leave the event loop free", async () => {
    const optimizer = big();
    // A thread that is scheduled away finds a step done that was not waited for: one of many must be seen.
    let isSeen = false;
    for (let i = 0; i < 50 && !isSeen; i += 1) {
      let isDone = false;
      const done = optimizer.stepAsync().finally(() => {
        isDone = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      isSeen = !isDone;
      await done;
    }
    expect(isSeen, "every step was over before the event loop turned").to.equal(true);
  });

  it("forbid everything that needs the state, until they are done", async () => {
    const optimizer = big();
    const [variable] = optimizer.variables.slice(-1);
    const done = optimizer.stepAsync();
    for (const act of [
      () => optimizer.step(),
      () => optimizer.apply([new Float32Array(4 << 20)]),
      () => optimizer.rebind([]),
      () => optimizer.variables,
      () => variable?.value,
      () => optimizer.setWeights([]),
      () => optimizer.excludeFromWeightDecay({}),
      () => optimizer.finalizeVariableValues(),
      () => optimizer.synchronize(),
      () => optimizer.dispose(),
      () => new LossScaleOptimizer(optimizer),
    ]) {
      rejectsWith("BUSY", act, "await it first");
    }
    await rejectsLater("BUSY", optimizer.stepAsync());
    await rejectsLater("BUSY", optimizer.applyAsync([null]));
    expect(optimizer, "finished steps only").to.include({ iterations: 0, report: null, lossScale: 1 });
    expect(await done).to.include({ iteration: 1 });
    expect(optimizer.step()!.iteration).to.equal(2);
    optimizer.dispose();
  });

  it("hide a loss scale that they may change", async () => {
    const optimizer = new LossScaleOptimizer(big());
    const done = optimizer.stepAsync();
    rejectsWith("BUSY", () => optimizer.scaleLoss(1));
    await done;
    expect(optimizer.scaleLoss(1)).to.equal(2 ** 15);
  });

  it("reject, and never throw, for every mistake, which leaves the optimizer ready", async () => {
    const built = pair();
    const { optimizer } = built;
    const before = snapshot(built);
    await rejectsLater("NOT_BUILT", new AdamW().stepAsync());
    await rejectsLater(
      "INVALID_ARGUMENT",
      optimizer.applyAsync(undefined as never),
      "stepAsync() uses those that are bound",
    );
    await rejectsLater("LENGTH_MISMATCH", optimizer.applyAsync([]));
    await rejectsLater("INVALID_ARGUMENT", optimizer.stepAsync({ gradientScale: 0 }), "gradientScale");
    await rejectsLater("INVALID_ARGUMENT", optimizer.stepAsync({ sginal: null } as object), "did you mean signal?");
    await rejectsLater("INVALID_ARGUMENT", optimizer.stepAsync({ signal: {} as AbortSignal }), "an AbortSignal");
    expect(snapshot(built)).to.deep.equal(before);
    optimizer.step();
    optimizer.dispose();
    await rejectsLater("DISPOSED", optimizer.stepAsync());
  });

  it("reject for a gradient that is not finite, and leave everything", async () => {
    const built = pair({ nonFinite: "throw" });
    built.biasGradient[0] = Number.NaN;
    const before = snapshot(built);
    await rejectsLater("NON_FINITE", built.optimizer.stepAsync(), "dense/bias");
    expect(snapshot(built)).to.deep.equal(before);
  });

  it("heed a signal before they begin, and finish afterwards", async () => {
    const { optimizer } = pair();
    const stopped = AbortSignal.abort("because");
    await rejectsLater("ABORTED", optimizer.stepAsync({ signal: stopped }), "before it began");
    const error = await optimizer.stepAsync({ signal: stopped }).catch((reason: Error) => reason);
    expect(error).to.include({ name: "AdamWError", cause: "because" });
    expect(optimizer.iterations).to.equal(0);
    const controller = new AbortController();
    const done = optimizer.stepAsync({ signal: controller.signal });
    controller.abort();
    expect((await done).iteration).to.equal(1);
  });

  it("need nobody to hold the optimizer or its arrays", async () => {
    const done = Array.from({ length: 8 }, () => big(1 << 16).stepAsync());
    global.gc?.();
    for (const report of await Promise.all(done)) expect(report.iteration).to.equal(1);
  });

  it("of many optimizers run at once", async () => {
    const all = Array.from({ length: 16 }, () => pair());
    await Promise.all(all.map(({ optimizer }) => optimizer.stepAsync()));
    const [first, ...others] = all.map(snapshot);
    for (const other of others) expect(other).to.deep.equal(first);
  });
});
