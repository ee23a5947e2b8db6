import { expect } from "chai";
import { type AdamWOptions, optionFields, resolveOptions } from "../lib/options.js";
import { CosineDecay } from "../lib/schedules/index.js";
import { rejects } from "./rejects.js";

describe("options", () => {
  it("have Keras' defaults, and neutral ones beyond Keras", () => {
    expect(resolveOptions()).to.deep.equal({
      name: "adamw",
      learningRate: 0.001,
      weightDecay: 0.004,
      clipnorm: null,
      globalClipnorm: null,
      clipvalue: null,
      useEma: false,
      emaMomentum: 0.99,
      emaOverwriteFrequency: null,
      lossScaleFactor: null,
      gradientAccumulationSteps: null,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
      amsgrad: false,
      formula: "keras",
      maximize: false,
      nonFinite: "propagate",
      skipAboveNorm: null,
      zeroGradients: false,
      emaUpdates: "apply",
      reportNorms: false,
      groups: [],
      excludeFromWeightDecay: null,
    });
  });

  it("every default passes its own check", () => {
    for (const [name, { kind, default: value }] of Object.entries(optionFields)) {
      expect(kind.accepts(value), name).to.equal(true);
    }
  });

  it("are frozen, as are their lists, and keep no hold on what was given", () => {
    const groups = [{ match: "*/bias", weightDecay: 0 }];
    const options = resolveOptions({ groups });
    expect(options).to.be.frozen;
    expect(options.groups).to.be.frozen.and.deep.equal(groups);
    expect(options.groups[0]).to.be.frozen;
    groups[0] = { match: "other", weightDecay: 1 };
    expect(options.groups[0]).to.deep.equal({ match: "*/bias", weightDecay: 0 });
  });

  it("undefined means the default", () => {
    expect(resolveOptions({ beta1: undefined } as unknown as AdamWOptions).beta1).to.equal(0.9);
  });

  it("the learning rate may be a number, a schedule or a function, and stays what it is", () => {
    const schedule = new CosineDecay({ initialLearningRate: 1e-3, decaySteps: 10 });
    const own = { at: () => 1, getConfig: () => ({}) };
    for (const learningRate of [0, 1e-3, schedule, own, () => 1e-3]) {
      expect(resolveOptions({ learningRate }).learningRate).to.equal(learningRate);
    }
    expect(resolveOptions({ weightDecay: schedule }).weightDecay).to.equal(schedule);
  });

  it("0 switches the two counts off, as null does", () => {
    expect(resolveOptions({ gradientAccumulationSteps: 0, emaOverwriteFrequency: 0 })).to.include({
      gradientAccumulationSteps: 0,
      emaOverwriteFrequency: 0,
    });
  });

  it("of the runtime go into the second argument, says the error", () => {
    rejects(() => resolveOptions({ device: "cpu" } as AdamWOptions), "second argument, new AdamW(options, { device })");
  });

  it("take an object of a schedule, not its class", () => {
    const learningRate = CosineDecay as unknown as () => number;
    rejects(() => resolveOptions({ learningRate }), "learningRate", "function CosineDecay");
    expect(resolveOptions({ learningRate: () => 1 }).learningRate).to.be.a("function");
  });

  const wrong: [option: string, value: unknown, message: string][] = [
    ["beta1", 1.5, "Expected a number in [0, 1) for beta1 but received 1.5"],
    ["beta2", 1, "Expected a number in [0, 1) for beta2 but received 1"],
    ["beta1", "0.9", 'for beta1 but received "0.9"'],
    [
      "learningRate",
      -1,
      "a schedule (an object with at(step) and getConfig()) or a function for learningRate but received -1",
    ],
    ["learningRate", { at: () => 1 }, "for learningRate but received { at: function at }"],
    ["learningRate", null, "for learningRate but received null"],
    [
      "weightDecay",
      Number.NaN,
      "a finite number ≥ 0 in float32 or a schedule (an object with at(step) and getConfig()) for weightDecay but received NaN",
    ],
    ["weightDecay", () => 1, "for weightDecay but received an anonymous function"],
    ["epsilon", Infinity, "for epsilon but received Infinity"],
    ["clipnorm", 0, "a finite number > 0 or null for clipnorm but received 0"],
    ["globalClipnorm", -1, "for globalClipnorm"],
    ["clipvalue", "1", "for clipvalue"],
    ["lossScaleFactor", 0, "for lossScaleFactor"],
    ["learningRate", 1e39, "or a function for learningRate but received 1e+39"],
    ["weightDecay", 1e39, "for weightDecay but received 1e+39"],
    ["epsilon", 1e39, "Expected a finite number ≥ 0 in float32 for epsilon but received 1e+39"],
    ["clipvalue", 1e-300, "Expected a finite number > 0 in float32 or null for clipvalue but received 1e-300"],
    ["clipvalue", 1e39, "for clipvalue but received 1e+39"],
    ["lossScaleFactor", 1e39, "for lossScaleFactor but received 1e+39"],
    ["lossScaleFactor", 1e-39, "in float32, its reciprocal too or null for lossScaleFactor but received 1e-39"],
    ["groups", [{ match: "a", epsilon: 1e39 }], "for groups[0].epsilon but received 1e+39"],
    ["groups", [{ match: "a", weightDecay: 1e39 }], "for groups[0].weightDecay but received 1e+39"],
    ["skipAboveNorm", 0, "for skipAboveNorm"],
    ["gradientAccumulationSteps", 1, "an integer ≥ 2, 0 or null for gradientAccumulationSteps but received 1"],
    ["gradientAccumulationSteps", 2.5, "for gradientAccumulationSteps"],
    ["emaOverwriteFrequency", -1, "for emaOverwriteFrequency"],
    ["emaMomentum", 1.1, "a number in [0, 1] for emaMomentum"],
    ["useEma", 1, "a boolean for useEma but received 1"],
    ["formula", "pytorch", '"keras" or "torch" for formula but received "pytorch"'],
    ["nonFinite", "ignore", '"propagate", "skip" or "throw" for nonFinite'],
    ["emaUpdates", true, "for emaUpdates"],
    ["name", "", "a non-empty string for name"],
    ["groups", {}, "an array for groups"],
    ["groups", [{ weightDecay: 0 }], "for groups[0].match but received undefined"],
    ["groups", [{ match: "a", beta1: 2 }], "a number in [0, 1) for groups[0].beta1 but received 2"],
    ["groups", [{ match: "a", lr: 2 }], 'Unknown key "lr" in groups[0]'],
    ["excludeFromWeightDecay", ["bias"], "an object { names, parameters } or null for excludeFromWeightDecay"],
    ["beta_1", 0.9, "did you mean beta1?"],
    ["momentum", 0.9, 'Unknown key "momentum" in the options of AdamW'],
  ];
  for (const [option, value, message] of wrong) {
    it(`are rejected: ${message}`, () => {
      rejects(() => resolveOptions({ [option]: value } as AdamWOptions), message);
    });
  }

  it("must be a plain object", () => {
    for (const value of [null, 1, [], new Map()]) rejects(() => resolveOptions(value as never), "a plain object");
  });

  it("hold at most one clip", () => {
    rejects(
      () => resolveOptions({ clipnorm: 1, clipvalue: 2 }),
      "at most one of clipnorm, globalClipnorm and clipvalue but received { clipnorm: 1, clipvalue: 2 }",
    );
  });
});
