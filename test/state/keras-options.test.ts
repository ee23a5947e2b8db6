import { copyFile, readFile } from "node:fs/promises";
import { expect } from "chai";
import { CheckpointError } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cases, fixture, make, state, writeMixed, writeWithOptimizer } from "./keras-cases.js";
import { rejectsLater } from "./rejects-later.js";

describe("files of the real Keras, by the options they have and have not,", function () {
  this.timeout(300_000);
  const file = temporaryFolder();
  const withOptimizer = (change: Parameters<typeof writeWithOptimizer>[1]) =>
    writeWithOptimizer(file("changed.keras"), change);
  const withMixed = () => writeMixed(file("changed.keras"));

  const copied = async (name: string) => {
    await copyFile(fixture(name), file(name));
    return file(name);
  };

  it("without options are of Keras' formula", async () => {
    const path = await copied("plain.weights.h5");
    const before = await readFile(path);
    const { optimizer, train } = make("torch");
    train(0, 2);
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(path), 'Expected formula "keras" for Keras\' files');
    expect(await readFile(path)).to.deep.equal(before);
    await rejectsLater("CHECKPOINT", optimizer.load(path), 'formula is "keras" in the file and "torch" here');
    expect(optimizer.iterations).to.equal(2);
    await optimizer.load(path, { config: "keep" });
    expect(optimizer.iterations).to.equal(5);
  });

  it("without options take a state whose options Keras does not have, and that is told", async () => {
    const place = "not part of the optimizer in Keras' files: left out";
    const { leftOut } = await make("beyond").optimizer.save(await copied("plain.weights.h5"));
    expect(leftOut).to.deep.equal([`maximize and groups are ${place}`]);
    const scaled = await make("beyondScaled").optimizer.save(await copied("scaled.weights.h5"));
    expect(scaled.leftOut).to.deep.equal([`minimumScale is ${place}`]);
  });

  it("do not say which parameters are excluded from weight decay, which is told, and not compared", async () => {
    const leftOut = ["excludeFromWeightDecay is not part of the optimizer in Keras' files: left out"];
    for (const name of ["plain.keras", "plain.weights.h5"]) {
      const path = await copied(name);
      const { optimizer, train } = make("excluding");
      expect((await optimizer.load(path)).notLoaded, name).to.deep.equal([]);
      expect(optimizer.iterations, name).to.equal(5);
      train(5, 6);
      expect((await optimizer.save(path)).leftOut, name).to.deep.equal(leftOut);
      const again = make("excluding");
      await again.optimizer.load(path);
      expect(state(again.optimizer), name).to.deep.equal(state(optimizer));
    }
    const decay = "weightDecay (weight_decay) is 0.004 in the file and 0.1 here";
    await rejectsLater("CHECKPOINT", make("excludingMore").optimizer.load(file("plain.keras")), decay);
  });

  it("say one setting for all parameters, which groups may give them too", async () => {
    const path = await copied("plain.keras");
    const problem = "weightDecay (weight_decay) of d1/bias, d2/bias is 0.004 in the file and 0 here";
    await rejectsLater("CHECKPOINT", make("grouped").optimizer.load(path), problem);
    const { optimizer } = make("grouped");
    await rejectsLater("CHECKPOINT", optimizer.save(path), problem);
    expect(await readFile(path)).to.deep.equal(await readFile(fixture("plain.keras")));
    const same = make("sameGroups");
    await same.optimizer.load(path);
    expect(same.optimizer.iterations).to.equal(5);
    await same.optimizer.save(path);
    const doubled = make("doubled").optimizer;
    await doubled.load(path);
    expect(doubled.learningRate).to.equal(Math.fround(0.01) / 2);
    const rate = "learningRateMultiplier (learning_rate_multiplier) is 1 in the file and 2 here";
    await rejectsLater("CHECKPOINT", doubled.save(path), rate);
  });

  it("have a loss scale where the optimizer has one, or are left as they are", async () => {
    const lost = "the optimizer here has a loss scale and the file has none: save the model in Keras with a Loss";
    const kept = "the file has a loss scale, as with mixed_float16, and the optimizer here has none: put it into a";
    for (const [path, ours, problem] of [
      [await copied("plain.keras"), "plainScaled", lost],
      [await copied("plain.weights.h5"), "plainScaled", lost],
      [await copied("scaled.weights.h5"), "scaledPlain", kept],
      [await withMixed(), "scaledPlain", kept],
    ] as const) {
      const before = await readFile(path);
      const { optimizer, train } = make(ours);
      train(0, 2);
      await rejectsLater("CHECKPOINT", optimizer.save(path), problem);
      expect(await readFile(path)).to.deep.equal(before);
    }
  });

  it("give a loss scale to an optimizer that has one, and say it where they cannot", async () => {
    const only = "the file has one and the optimizer none: put it into a LossScaleOptimizer";
    const none = "the optimizer has one and the file none: load into an AdamW without a LossScaleOptimizer";
    for (const [path, ours, reason] of [
      [fixture("scaled.weights.h5"), "scaledPlain", only],
      [await withMixed(), "scaledPlain", only],
      [fixture("plain.weights.h5"), "plainScaled", none],
    ] as const) {
      const { optimizer, train } = make(ours);
      train(0, 2);
      const before = state(optimizer);
      await rejectsLater("CHECKPOINT", optimizer.load(path), `lossScale (${reason})`, 'mode: "partial"');
      expect(state(optimizer)).to.deep.equal(before);
      const { notLoaded } = await optimizer.load(path, { mode: "partial" });
      expect(notLoaded).to.deep.equal([{ name: "lossScale", reason }]);
      expect(optimizer.iterations).to.equal(5);
      const kept = await optimizer.load(path, { config: "keep" });
      expect(kept.notLoaded).to.deep.equal([]);
      // The scale here, and how long it has been finite: two steps.
      if (reason === none) expect(state(optimizer).slice(2, 4)).to.deep.equal([[2], [16]]);
    }
    const mixed = make("scaled");
    await mixed.optimizer.load(await withMixed());
    expect(state(mixed.optimizer)).to.deep.equal(cases.scaled?.state);
    mixed.train(5, 6);
    await mixed.optimizer.save(await withMixed());
    const again = make("scaled");
    await again.optimizer.load(file("changed.keras"));
    expect(state(again.optimizer)).to.deep.equal(state(mixed.optimizer));
  });

  it("are of AdamW or of Adam with AdamW's decay, which is none by default", async () => {
    await rejectsLater(
      "CHECKPOINT",
      make("plain").optimizer.load(fixture("adam.keras")),
      "weightDecay (weight_decay) is 0 in the",
    );
    const { optimizer } = make("plain");
    await optimizer.load(await withOptimizer((given) => ({ ...given, class_name: "Adam" })));
    expect(optimizer.iterations).to.equal(5);
  });

  it("of other optimizers are refused by name, and what no optimizer has is no bug", async () => {
    const scaler = (inner: unknown) => () => ({ class_name: "LossScaleOptimizer", config: { inner_optimizer: inner } });
    const sgd = { class_name: "SGD", config: { momentum: 0.9, nesterov: false } };
    for (const [change, problem] of [
      [() => sgd, 'its optimizer is "SGD"'],
      [scaler(sgd), 'its optimizer is "SGD"'],
      [scaler({ config: null }), "its optimizer is undefined"],
      [scaler({ class_name: "AdamW", config: null }), "has no configuration"],
      [scaler(null), "no inner_optimizer"],
      [() => ({ class_name: "AdamW", config: null }), "has no configuration"],
      [() => ({ class_name: "AdamW", config: { momentum: 1 } }), "momentum"],
      [() => ({ class_name: "AdamW", config: { use_ema: "yes" } }), '"yes"'],
    ] as const) {
      const path = await withOptimizer(change);
      for (const act of ["load", "save"] as const) {
        const error = await rejectsLater("CHECKPOINT", make("plain").optimizer[act](path), path, problem);
        expect(error).to.be.instanceOf(CheckpointError);
      }
    }
  });
});
