import { expect } from "chai";
import type { AdamW } from "../lib/adamw.js";
import type { AdamWOptions } from "../lib/options.js";
import { CosineDecay } from "../lib/schedules/index.js";
import { pair, snapshot } from "./optimizers.js";
import { rejects, rejectsLater, rejectsWith } from "./rejects.js";

describe("rates", () => {
  it("a learning rate is set by Keras' rules", () => {
    const { optimizer } = pair({ learningRate: 0.1 });
    optimizer.learningRate = 0.3;
    expect(optimizer.learningRate).to.equal(0.3);
    for (const rate of [-1, 1e39]) {
      rejects(() => {
        optimizer.learningRate = rate;
      }, `for learningRate but received ${rate}`);
    }
    optimizer.learningRate = new CosineDecay({ initialLearningRate: 0.5, decaySteps: 10 });
    expect(optimizer.step()!.learningRate).to.equal(0.5);
    rejects(() => {
      optimizer.learningRate = 0.1;
    }, "it is a schedule now");
    optimizer.learningRate = () => 0.25;
    expect(optimizer.step()!.learningRate).to.equal(0.25);
    rejects(() => {
      optimizer.learningRate = 0.1;
    }, "it is a function now");
  });

  it("a function as learning rate is called once per update, and not while gradients accumulate", () => {
    let calls = 0;
    const learningRate = () => {
      calls += 1;
      return 0.01;
    };
    const { optimizer, gradients } = pair({ learningRate, gradientAccumulationSteps: 3 });
    const rates = Array.from({ length: 7 }, () => optimizer.step()!.learningRate);
    expect(rates).to.deep.equal([null, null, 0.01, null, null, 0.01, null]);
    expect(calls).to.equal(2);
    optimizer.step();
    rejectsWith("LENGTH_MISMATCH", () => optimizer.apply([gradients[0]]));
    expect(calls, "not for a step that is not issued").to.equal(2);
  });

  it("a rate that is no number or none in float32 is an error that changes nothing", () => {
    const nan = { at: () => Number.NaN, getConfig: () => ({}) };
    const huge = { at: () => 1e39, getConfig: () => ({}) };
    const cases: AdamWOptions[] = [
      { learningRate: nan },
      { learningRate: () => -1 },
      { weightDecay: nan },
      { learningRate: huge },
      { learningRate: () => 1e39 },
      { weightDecay: huge },
    ];
    for (const options of cases) {
      const built = pair(options);
      const before = snapshot(built);
      rejects(() => built.optimizer.step(), "at iteration 0", "a finite number ≥ 0 in float32");
      expect(snapshot(built)).to.deep.equal(before);
    }
  });

  describe("whose function makes the step impossible", () => {
    const ways = {
      step: async (optimizer: AdamW) => optimizer.step(),
      stepAsync: (optimizer: AdamW) => optimizer.stepAsync(),
    };
    for (const [name, step] of Object.entries(ways)) {
      /** An optimizer after one step whose learning rate does this in the next one. */
      const acting = (act: (optimizer: AdamW) => void) => {
        let isNext = false;
        const learningRate = () => {
          if (isNext) {
            isNext = false;
            act(built.optimizer);
          }
          return 0.1;
        };
        const built = pair({ learningRate, useEma: true });
        built.optimizer.step();
        isNext = true;
        return built;
      };

      it(`by swapping the parameters with their averages leave everything: ${name}()`, async () => {
        const built = acting((optimizer) => optimizer.swapEma());
        const before = snapshot(built);
        await rejectsLater("BUSY", step(built.optimizer), "restoreEma()");
        built.optimizer.restoreEma();
        expect(snapshot(built)).to.deep.equal(before);
        await step(built.optimizer);
        expect(built.optimizer.iterations).to.equal(2);
      });

      it(`by stepping leave that step alone: ${name}()`, async () => {
        let inner: Promise<unknown> | undefined;
        const built = acting((optimizer) => {
          inner = optimizer.stepAsync();
        });
        await rejectsLater("BUSY", step(built.optimizer), "await it first");
        await inner;
        const expected = acting(() => {});
        expected.optimizer.step();
        expect(snapshot(built)).to.deep.equal(snapshot(expected));
      });

      it(`by disposing of the optimizer are an error: ${name}()`, async () => {
        const built = acting((optimizer) => optimizer.dispose());
        const before = [...built.kernel];
        await rejectsLater("DISPOSED", step(built.optimizer));
        expect([...built.kernel]).to.deep.equal(before);
      });
    }
  });
});
