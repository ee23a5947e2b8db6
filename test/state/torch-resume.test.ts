import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, LossScaleOptimizer } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import { ratesOf } from "../../lib/state/torch-config.js";
import { multiplierKey, rateKey } from "../../lib/state/torch-notes.js";
import { Storages } from "../../lib/state/torch-tensors.js";
import { temporaryFolder } from "../temporary.js";
import { type Case, cases, fingerprint, make, train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";
import { archive, bytesOfSource, entriesOf } from "./torch-archive.js";

const end = 11;
/** Within a window of three, and of two. */
const moments = [4, 5];

const inTorchsFormula = (chosen: Case): Case => ({
  ...chosen,
  options: () => ({ ...chosen.options(), formula: "torch" }),
});

describe("a training resumed from PyTorch's format", () => {
  const file = temporaryFolder();

  for (const chosen of cases.filter(({ name }) => name !== "a function").map(inTorchsFormula)) {
    it(`goes on bit for bit: ${chosen.name}`, async () => {
      for (const saved of moments) {
        const training = make(chosen);
        train(training, 0, saved);
        await training.optimizer.save(file("state.pt"));
        const again = make(chosen);
        for (const [i, value] of training.values.entries()) again.values[i]?.set(value);
        // PyTorch has no schedule of the decay: written is what it has reached, and said that it is another option.
        const { weightDecay } = chosen.options();
        if (typeof weightDecay === "object") {
          await rejectsLater("CHECKPOINT", again.optimizer.load(file("state.pt")), "weightDecay is");
          await again.optimizer.load(file("state.pt"), { config: "keep" });
        } else {
          const { notLoaded } = await again.optimizer.load(file("state.pt"));
          expect(notLoaded).to.deep.equal([]);
        }
        expect(fingerprint(again), `step ${saved}`).to.equal(fingerprint(training));
        train(training, saved, end);
        train(again, saved, end);
        expect(fingerprint(again), `after step ${saved}`).to.equal(fingerprint(training));
      }
    });
  }

  const build = (options = {}) =>
    new AdamW({ formula: "torch", gradientAccumulationSteps: 3, ...options }).build([
      { name: "w", value: Float32Array.of(1, 2) },
    ]);
  const step = (optimizer: { apply(gradients: Float32Array[]): unknown }, times: number) => {
    for (let i = 0; i < times; i += 1) optimizer.apply([Float32Array.of(1, -1)]);
  };

  it("has the rate of which every group takes a multiple, and what the user saved with it", async () => {
    const groups = [{ match: "w", learningRateMultiplier: 0.3 }];
    const optimizer = build({ groups });
    optimizer.learningRate = 0.1 + 2 ** -50;
    await optimizer.save(file("rate.pt"), { metadata: { epoch: "3" } });
    const again = build({ groups });
    const { metadata } = await again.load(file("rate.pt"));
    expect(again.learningRate).to.equal(0.1 + 2 ** -50);
    expect(metadata).to.deep.equal({ epoch: "3" });
  });

  it("has the rate that a scheduler of PyTorch has set in every group", async () => {
    const storages = new Storages(new ByteMemory("none", Buffer.alloc(0)), () => undefined);
    const group = (lr: number, multiplier?: number) =>
      new Map<string, unknown>([
        ["lr", lr],
        ...(multiplier === undefined
          ? []
          : ([
              [rateKey, 1e-3],
              [multiplierKey, multiplier],
            ] as const)),
      ]);
    // The products of different roundings, as PyTorch's schedulers form them.
    for (const [groups, learningRate, multipliers] of [
      [[group(1e-4), group(1e-3 * 0.3 * 0.1, 0.3)], 1e-4, [1, 0.3]],
      [[group(1e-4, 0.5)], 2e-4, [0.5]],
      // Groups that are ours no more, or never were.
      [[group(1e-4), group(1e-3)], 1e-4, [1, 10]],
      [[group(1e-4), group(1e-4, 0.3)], 1e-4, [1, 1]],
      [[group(1e-3), group(3e-3), group(5e-5)], 1e-3, [1, 3, 0.05]],
      [[group(0), group(1e-3)], 1e-3, [0, 1]],
      [[group(0), group(0, 0.3)], 0, [1, 0.3]],
    ] as const) {
      expect(await ratesOf(storages, groups)).to.deep.equal({ learningRate, multipliers });
    }
  });

  /** The file after so many updates in PyTorch, which keeps what it does not know. */
  async function goneOn(path: string, updates: number): Promise<void> {
    const { pickle, more } = await entriesOf(await readFile(path));
    const key = Buffer.from("fused_adamw_updates");
    const at = pickle.indexOf(key) + key.length + 1;
    pickle.writeInt32LE(pickle.readInt32LE(at) - updates, at);
    await writeFile(path, await bytesOfSource(await archive(pickle, more)));
  }

  it("that PyTorch has gone on from counts PyTorch's updates, unless accumulators were half full", async () => {
    const optimizer = build();
    step(optimizer, 6);
    await optimizer.save(file("whole.pt"));
    await goneOn(file("whole.pt"), 1);
    const again = build();
    await again.load(file("whole.pt"));
    expect(again.iterations).to.equal(2);
    step(optimizer, 1);
    await optimizer.save(file("half.pt"));
    await goneOn(file("half.pt"), 1);
    await rejectsLater("CHECKPOINT", build().load(file("half.pt")), "1 gradients of an accumulation window");
  });

  it("with a loss scale wants an optimizer that has one", async () => {
    const scaled = () => new LossScaleOptimizer(new AdamW({ formula: "torch" }), { initialScale: 1024 });
    const value = () => [{ name: "w", value: Float32Array.of(1, 2) }];
    const optimizer = scaled().build(value());
    optimizer.apply([Float32Array.of(Number.POSITIVE_INFINITY, 0)]);
    await optimizer.save(file("scaled.pt"));
    const again = scaled().build(value());
    await again.load(file("scaled.pt"));
    expect(again.lossScale).to.equal(512);
    const plain = new AdamW({ formula: "torch" }).build(value());
    await rejectsLater("CHECKPOINT", plain.load(file("scaled.pt")), "the optimizer is LossScaleOptimizer in");
    // A file that says nothing of a scale, as PyTorch's own, leaves the optimizer's.
    await plain.save(file("plain.pt"));
    await again.load(file("plain.pt"));
    expect(again.lossScale).to.equal(512);
  });

  it("is not written where the rate is a function, which nothing can evaluate for it", async () => {
    const training = make(inTorchsFormula(cases.find(({ name }) => name === "a function") as Case));
    const hint = 'save in the format "fused-adamw" instead';
    await rejectsLater(
      "INVALID_ARGUMENT",
      training.optimizer.save(file("function.pt")),
      "the function functionRate",
      hint,
    );
    class Halving {
      at = (step: number) => 0.5 ** step;
      getConfig = () => ({});
    }
    const unnamed = "a function or class without a name";
    for (const [rates, received] of [
      [{ learningRate: () => 0.1 }, unnamed],
      [{ weightDecay: { at: () => 0, getConfig: () => ({}) } }, unnamed],
      [{ weightDecay: new Halving() }, "a Halving"],
    ] as const) {
      const optimizer = new AdamW({ formula: "torch", ...rates }).build([{ name: "w", value: new Float32Array(1) }]);
      await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("function.pt")), `but received ${received}`, hint);
    }
  });
});
