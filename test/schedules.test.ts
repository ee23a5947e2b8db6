import { expect } from "chai";
import fc from "fast-check";
import { readSchedule, scheduleClasses } from "../lib/schedules/classes.js";
import * as schedules from "../lib/schedules/index.js";
import { isSchedule, type LearningRateSchedule } from "../lib/schedules/schedule.js";
import { loadGolden } from "./golden/golden.js";
import { rejects } from "./rejects.js";

const { CosineDecay, CosineDecayRestarts, InverseSquareRoot, Join, OneCycle, WarmupLinear, WarmupStableDecay } =
  schedules;

/** A few roundings apart: Keras forms some of the same expressions in another order. */
function expectClose(actual: number, expected: number, message: string, slack = 0) {
  const tolerance = 1e-12 * Math.max(Math.abs(expected), 1e-3) + slack;
  expect(Math.abs(actual - expected), `${message}: ${actual}, not ${expected}`).to.be.at.most(tolerance);
}

function expectRates(schedule: LearningRateSchedule, expected: Record<number, number>) {
  for (const [step, rate] of Object.entries(expected)) expectClose(schedule.at(Number(step)), rate, `step ${step}`);
}

describe("schedules", () => {
  for (const { name, serialized, steps, values, config } of loadGolden("schedules").cases) {
    it(`follow Keras: ${name}`, () => {
      const schedule = readSchedule(serialized, "the schedule", {}) as LearningRateSchedule;
      expect(schedule.getConfig()).to.deep.equal(config);
      expect(Object.keys(schedule.getConfig())).to.deep.equal(Object.keys(config));
      steps.forEach((step, i) => {
        // Keras' restarts subtract whole periods from step / first_decay_steps, which costs digits late in a run.
        expectClose(schedule.at(step), values[i] as number, `step ${step}`, step * 2 ** -53);
      });
    });
  }

  it("are all in the list of classes, under their names", () => {
    expect(scheduleClasses.map(({ name }) => name).sort()).to.deep.equal(Object.keys(schedules).sort());
  });

  it("anything with at and getConfig is one", () => {
    expect(isSchedule({ at: () => 1, getConfig: () => ({}) })).to.equal(true);
    for (const value of [null, undefined, 1, {}, { at: () => 1 }, () => 1]) expect(isSchedule(value)).to.equal(false);
  });

  it("are immutable", () => {
    const values = [1, 2];
    const schedule = new schedules.PiecewiseConstantDecay({ boundaries: [5], values });
    values[0] = 3;
    expect(schedule.at(0)).to.equal(1);
    expect(schedule.options).to.be.frozen;
    expect(schedule.options.values).to.be.frozen;
  });

  describe("CosineDecay", () => {
    it("warms up from an initial rate of 0, which Keras takes for an integer", () => {
      const schedule = new CosineDecay({ initialLearningRate: 0, decaySteps: 100, warmupTarget: 0.1, warmupSteps: 10 });
      expectRates(schedule, { 0: 0, 5: 0.05, 10: 0.1, 60: 0.05, 110: 0, 1e6: 0 });
    });

    it("ignores warmupSteps without a target, as Keras does", () => {
      const schedule = new CosineDecay({ initialLearningRate: 1, decaySteps: 10, warmupSteps: 5 });
      expectRates(schedule, { 0: 1, 5: 0.5, 10: 0 });
    });
  });

  it("CosineDecay begins at a target without warmupSteps, as Keras' does", () => {
    const schedule = new CosineDecay({ initialLearningRate: 1, decaySteps: 10, warmupTarget: 4 });
    expectRates(schedule, { 0: 4, 5: 2, 10: 0 });
  });

  describe("CosineDecayRestarts", () => {
    for (const tMul of [1, 1.1, 1.3, 1.5, 2, 3]) {
      for (const firstDecaySteps of [1, 7, 10, 1000]) {
        it(`starts every period at its first whole step (tMul ${tMul}, firstDecaySteps ${firstDecaySteps})`, () => {
          const schedule = new CosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps, tMul });
          // The starts in exact arithmetic: tMul is a number of tenths.
          const tenths = BigInt(Math.round(tMul * 10));
          let [start, length, scale] = [0n, BigInt(firstDecaySteps), 1n];
          for (let period = 0; period < 12; period += 1) {
            if (start % scale === 0n && start / scale < 1e9) {
              expect(schedule.at(Number(start / scale)), `step ${start / scale}`).to.equal(1);
            }
            start = (start + length) * 10n;
            length *= tenths;
            scale *= 10n;
          }
        });
      }
    }

    it("lowers the top of each period by mMul", () => {
      const schedule = new CosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 10, mMul: 0.5, alpha: 0.1 });
      expectRates(schedule, { 0: 1, 5: 0.55, 10: 0.55, 30: 0.9 * 0.25 + 0.1 });
    });

    it("is defined at any step", () => {
      const schedule = new CosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 10, tMul: 1.7 });
      for (const step of [2 ** 31, 2 ** 53 - 1]) expect(schedule.at(step)).to.be.within(0, 1);
    });
  });

  it("WarmupLinear goes up and down in straight lines", () => {
    const schedule = new WarmupLinear({ warmupTarget: 1, warmupSteps: 10, decaySteps: 20, endLearningRate: 0.2 });
    expectRates(schedule, { 0: 0, 5: 0.5, 10: 1, 20: 0.6, 30: 0.2, 31: 0.2, 1e9: 0.2 });
    expectRates(new WarmupLinear({ warmupTarget: 1, warmupSteps: 0, decaySteps: 4 }), { 0: 1, 1: 0.75, 4: 0 });
  });

  it("InverseSquareRoot halves the rate at four times the warm-up", () => {
    const schedule = new InverseSquareRoot({ warmupTarget: 2, warmupSteps: 100 });
    expectRates(schedule, { 0: 0, 50: 1, 100: 2, 400: 1, 10000: 0.2 });
  });

  it("InverseSquareRoot is the formula of its paper", () => {
    const [width, warmupSteps] = [512, 4000];
    const schedule = new InverseSquareRoot({ warmupTarget: (width * warmupSteps) ** -0.5, warmupSteps });
    for (const step of [1, 100, 3999, 4000, 4001, 100_000]) {
      expectClose(
        schedule.at(step),
        width ** -0.5 * Math.min(step ** -0.5, step * warmupSteps ** -1.5),
        `step ${step}`,
      );
    }
  });

  it("WarmupStableDecay goes up, stays and goes down in the form asked for", () => {
    const options = { warmupTarget: 1, warmupSteps: 10, stableSteps: 20, decaySteps: 16, endLearningRate: 0.5 };
    const level = { 0: 0, 5: 0.5, 10: 1, 20: 1, 30: 1, 46: 0.5, 1000: 0.5 };
    expectRates(new WarmupStableDecay(options), { ...level, 34: 0.875, 38: 0.75 });
    expectRates(new WarmupStableDecay({ ...options, decay: "1-sqrt" }), { ...level, 34: 0.75 });
    expectRates(new WarmupStableDecay({ ...options, decay: "cosine" }), { ...level, 38: 0.75 });
  });

  describe("OneCycle", () => {
    it("has PyTorch's two phases", () => {
      const schedule = new OneCycle({ maxLearningRate: 1, totalSteps: 100 });
      // The rise ends at step 0.3 · 100 − 1 = 29, the fall at step 99.
      expectRates(schedule, { 0: 0.04, 14.5: 0.52, 29: 1, 64: (1 + 4e-6) / 2, 99: 4e-6, 100: 4e-6 });
    });

    it("has PyTorch's three phases", () => {
      const schedule = new OneCycle({
        maxLearningRate: 1,
        totalSteps: 101,
        pctStart: 11 / 101,
        annealStrategy: "linear",
        threePhase: true,
      });
      expectRates(schedule, {
        0: 0.04,
        5: 0.52,
        10: 1,
        15: 0.52,
        20: 0.04,
        60: (0.04 + 4e-6) / 2,
        100: 4e-6,
        101: 4e-6,
      });
    });

    it("is defined where a phase has no length", () => {
      for (const options of [{ pctStart: 0 }, { pctStart: 1 }, { totalSteps: 1 }, { pctStart: 1, threePhase: true }]) {
        const schedule = new OneCycle({ maxLearningRate: 1, totalSteps: 10, ...options });
        for (let step = 0; step < 20; step += 1) expect(schedule.at(step)).to.be.within(4e-6 * 0.999, 1);
      }
    });
  });

  it("Join lets each schedule count from its own first step", () => {
    const seen = (offset: number) => ({ at: (step: number) => offset + step, getConfig: () => ({}) });
    const schedule = new Join({ schedules: [seen(0), seen(100), seen(200)], boundaries: [10, 15] });
    expectRates(schedule, { 0: 0, 9: 9, 10: 100, 14: 104, 15: 200, 1000: 200 + 985 });
  });

  const wrong: [make: () => unknown, ...parts: string[]][] = [
    [
      () => new CosineDecay({ initialLearningRate: 1, decaySteps: 0 }),
      "a finite number > 0 for decaySteps but received 0",
    ],
    [() => new CosineDecay({ decaySteps: 1 } as never), "for initialLearningRate but received undefined"],
    [
      () => new CosineDecay({ initialLearningRate: 1, decaySteps: 1, decay_steps: 2 } as never),
      'Unknown key "decay_steps" in the options of CosineDecay',
    ],
    [() => new CosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 5, tMul: 0.5 }), "≥ 1 for tMul"],
    [
      () => new schedules.PiecewiseConstantDecay({ boundaries: [1], values: [1] }),
      "an array of 2, one more than boundaries, for values but received [1]",
    ],
    [
      () =>
        new Join({
          schedules: [new schedules.PolynomialDecay({ initialLearningRate: 1, decaySteps: 1 })],
          boundaries: [1],
        }),
      "an array of 2, one more than boundaries, for schedules",
    ],
    [() => new schedules.PiecewiseConstantDecay({ boundaries: [2, 1], values: [1, 2, 3] }), "ascending steps"],
    [() => new Join({ schedules: [], boundaries: [] }), "an array of 1 or more for schedules"],
    [() => new Join({ schedules: [1 as never], boundaries: [] }), "for schedules[0] but received 1"],
    [() => new WarmupStableDecay({ decay: "sqrt" } as never), "for warmupTarget"],
    [() => CosineDecay.fromConfig([]), "a plain object for the config of CosineDecay but received []"],
    [() => Join.fromConfig({ schedules: [{}], boundaries: [] }), "for schedules[0]"],
  ];
  for (const [make, ...parts] of wrong) {
    it(`reject wrong options: ${parts[0]}`, () => {
      rejects(make, ...parts);
    });
  }

  it("reject what is no step", () => {
    const decay = new CosineDecay({ initialLearningRate: 1, decaySteps: 10 });
    for (const step of [-1, Number.NaN, Number.POSITIVE_INFINITY, "x", undefined]) {
      rejects(
        () => decay.at(step as number),
        "a finite number ≥ 0 for step",
        typeof step === "string" ? '"x"' : `${step}`,
      );
    }
  });

  it("survive JSON, nested ones too", () => {
    const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
    const leaf = fc.oneof(
      fc
        .record({ initialLearningRate: positive, decaySteps: positive, warmupTarget: positive, alpha: positive })
        .map((options) => new CosineDecay(options)),
      fc
        .record({ warmupTarget: positive, warmupSteps: positive, decaySteps: positive })
        .map((options) => new WarmupLinear(options)),
      fc
        .record({ maxLearningRate: positive, totalSteps: fc.integer({ min: 1, max: 1000 }), threePhase: fc.boolean() })
        .map((options) => new OneCycle(options)),
    );
    const joined = fc.tuple(leaf, leaf).map((both) => new Join({ schedules: both, boundaries: [50] }));
    fc.assert(
      fc.property(fc.oneof(leaf, joined), fc.nat(200), (schedule, step) => {
        const module = (schedule.constructor as unknown as { module: string }).module;
        const json = { module, class_name: schedule.constructor.name, config: schedule.getConfig() };
        const again = readSchedule(JSON.parse(JSON.stringify(json)), "the schedule", {}) as LearningRateSchedule;
        expect(again).to.be.instanceOf(schedule.constructor);
        expect(again.getConfig()).to.deep.equal(schedule.getConfig());
        expect(again.at(step)).to.equal(schedule.at(step));
      }),
    );
  });
});
