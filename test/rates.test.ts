import { expect } from "chai";
import type { AdamW } from "../lib/adamw.js";
import type { AdamWError } from "../lib/errors.js";
import { openDevice } from "../lib/open-device.js";
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

  describe("whose code uses the optimizer it is asked for", () => {
    const uses: Readonly<Record<string, (optimizer: AdamW) => unknown>> = {
      "step()": (optimizer) => optimizer.step(),
      "apply()": (optimizer) => optimizer.apply([null, null]),
      "stepAsync()": (optimizer) => optimizer.stepAsync(),
      "swapEma()": (optimizer) => optimizer.swapEma(),
      "finalizeVariableValues()": (optimizer) => optimizer.finalizeVariableValues(),
      "rebind()": (optimizer) => optimizer.rebind([]),
      "setWeights()": (optimizer) => optimizer.setWeights([]),
      "excludeFromWeightDecay()": (optimizer) => optimizer.excludeFromWeightDecay({}),
      "save()": (optimizer) => optimizer.save("never", { snapshot: "stream" }),
      "load()": (optimizer) => optimizer.load("never"),
      "dispose()": (optimizer) => optimizer.dispose(),
    };
    for (const [name, use] of Object.entries(uses)) {
      it(`gets BUSY from ${name}, and the step goes on`, async () => {
        const inner: Promise<AdamWError>[] = [];
        const asked: ((rate: () => number) => AdamWOptions)[] = [
          (rate) => ({ learningRate: rate, weightDecay: 0.1 }),
          (rate) => ({ learningRate: 0.1, weightDecay: { at: rate, getConfig: () => ({}) } }),
        ];
        for (const options of asked) {
          const run = async (act: () => void) => {
            const rate = () => {
              act();
              return 0.1;
            };
            const built = pair({ ...options(rate), gradientAccumulationSteps: 2, useEma: true });
            const { optimizer } = built;
            acting = optimizer;
            for (let i = 0; i < 2; i += 1) {
              optimizer.step();
              await optimizer.stepAsync();
            }
            return snapshot(built);
          };
          let acting: AdamW | undefined;
          const expected = await run(() => {});
          const actual = await run(() => {
            const outcome = (async () => use(acting!))();
            inner.push(
              outcome.then(
                () => expect.fail(`${name} did it`),
                (error) => error,
              ),
            );
          });
          expect(actual).to.deep.equal(expected);
        }
        expect(inner).to.have.length.above(2);
        for (const { code, message } of await Promise.all(inner)) {
          expect(code, message).to.equal("BUSY");
          expect(message).to.contain("finding out its learning rate");
        }
      });
    }

    it("keeps an optimizer that comes later in the same graph from stepping beside what it began", async () => {
      const stream = openDevice("cpu").createStream();
      let act = (): unknown => undefined;
      const learningRate = () => {
        act();
        return 0.1;
      };
      const first = pair({ learningRate }, { stream });
      const second = pair({ useEma: true }, { stream });
      second.optimizer.step();
      const graph = stream.capture(() => {
        first.optimizer.step();
        second.optimizer.step();
      });
      const before = snapshot(second);
      act = () => second.optimizer.swapEma();
      rejectsWith("BUSY", () => graph.launch(), "restoreEma()");
      second.optimizer.restoreEma();
      expect(snapshot(second)).to.deep.equal(before);
      let step: Promise<unknown> | undefined;
      act = () => {
        step = second.optimizer.stepAsync();
      };
      rejectsWith("BUSY", () => graph.launch(), "await it first");
      await step;
      expect(second.optimizer.iterations).to.equal(2);
    });

    it("can read it, and what it throws leaves everything", async () => {
      let asked = 0;
      const learningRate = () => {
        asked += 1;
        if (asked > 1) built.optimizer.swapEma();
        return 0.1 / (1 + built.optimizer.iterations + built.optimizer.parameters.length);
      };
      const built = pair({ learningRate, useEma: true });
      expect(built.optimizer.step()!.learningRate).to.equal(0.1 / 3);
      const before = snapshot(built);
      rejectsWith("BUSY", () => built.optimizer.step());
      await rejectsLater("BUSY", built.optimizer.stepAsync());
      expect(snapshot(built)).to.deep.equal(before);
      built.optimizer.swapEma();
    });
  });
});
