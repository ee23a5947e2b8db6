import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import type { AdamWError } from "../lib/errors.js";
import type { Gradients } from "../lib/gradients.js";
import type { AdamWOptions } from "../lib/options.js";
import { pair, snapshot } from "./optimizers.js";
import { rejects, rejectsWith } from "./rejects.js";

describe("AdamW", () => {
  it("rejects hyper-parameters that are not numbers, and options it does not know", () => {
    for (const option of ["learningRate", "weightDecay", "beta1", "beta2", "epsilon", "clipnorm", "emaMomentum"]) {
      rejects(() => new AdamW({ [option]: Number.NaN }), `for ${option}`, "NaN");
    }
    rejects(() => new AdamW({ lr: 1 } as AdamWOptions), '"lr"', "did you mean learningRate?");
    rejects(() => new AdamW({}, { thread: 1 } as object), '"thread"', "did you mean threads?");
  });

  it("needs build, once", () => {
    const optimizer = new AdamW();
    expect(optimizer).to.include({ built: false, iterations: 0, report: null, name: "adamw" });
    for (const act of [
      () => optimizer.step(),
      () => optimizer.apply([]),
      () => optimizer.rebind([]),
      () => optimizer.variables,
      () => optimizer.device,
      () => optimizer.parameters,
      () => optimizer.swapEma(),
      () => optimizer.synchronize(),
    ]) {
      rejectsWith("NOT_BUILT", act, "build()");
    }
    const list = [{ name: "a", value: new Float32Array(2) }];
    expect(optimizer.build(list)).to.equal(optimizer).and.include({ built: true });
    rejectsWith("ALREADY_BUILT", () => optimizer.build(list), "rebind()");
  });

  it("can be built again after a build that failed", () => {
    const optimizer = new AdamW({ groups: [{ match: "b", frozen: true }] });
    rejects(() => optimizer.build([{ name: "a", value: new Float32Array(1) }]), "groups[0].match");
    rejects(() => optimizer.build([{ name: "b", value: new Float32Array(1) }]), "unfrozen");
    optimizer.build(["a", "b"].map((name) => ({ name, value: new Float32Array(1) })));
    expect(optimizer.built).to.equal(true);
  });

  it("updates in place and reports, the same for arrays, records and bound gradients", () => {
    const [bound, listed, named] = [pair(), pair(), pair()];
    const [kernel, bias] = listed.gradients;
    const report = bound.optimizer.step();
    expect(report).to.include({ iteration: 1, microStep: 1, learningRate: 0.001, skipped: false });
    expect(bound.optimizer.report).to.equal(report);
    expect(listed.optimizer.apply([kernel, bias])).to.deep.equal(report);
    expect(named.optimizer.apply({ "dense/bias": bias, "dense/kernel": kernel })).to.deep.equal(report);
    expect(bound.kernel[0]).to.be.below(1);
    expect(snapshot(listed)).to.deep.equal(snapshot(bound));
    expect(snapshot(named)).to.deep.equal(snapshot(bound));
  });

  it("takes gradients for thousands of parameters, any of them null", async () => {
    const count = 5000;
    const parameters = Array.from({ length: count }, (_, i) => ({ name: `p${i}`, value: Float32Array.of(i) }));
    const optimizer = new AdamW({ weightDecay: 0 }).build(parameters);
    const gradients = parameters.map((_, i) => (i % 3 === 0 ? null : Float32Array.of(1)));
    optimizer.apply(gradients);
    await optimizer.applyAsync(gradients.map((gradient) => gradient?.slice() ?? null));
    parameters.forEach(({ value }, i) => {
      const moved = i - (value[0] as number);
      if (i % 3 === 0) expect(moved).to.equal(0);
      else expect(moved).to.be.closeTo(0.002, 0.001);
    });
  });

  it("leaves a parameter without gradient alone, given as null or as a name left out", () => {
    for (const gradients of [[null, Float32Array.of(1, 1)], { "dense/bias": Float32Array.of(1, 1) }] as Gradients[]) {
      const { optimizer, kernel, bias } = pair();
      optimizer.apply(gradients);
      expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
      expect(bias[0]).to.be.below(0.5);
    }
  });

  it("goes back to the bound gradients after a step with others", () => {
    const [mixed, plain] = [pair(), pair()];
    const others = [Float32Array.of(4, 3, 2, 1), null];
    mixed.optimizer.step();
    mixed.optimizer.apply(others);
    mixed.optimizer.step();
    for (const gradients of [plain.gradients, others, plain.gradients]) plain.optimizer.apply(gradients);
    expect(snapshot(mixed)).to.deep.equal(snapshot(plain));
  });

  const one = new Float32Array(4);
  const wrong: [what: string, gradients: unknown, code: AdamWError["code"], ...parts: string[]][] = [
    ["nothing", undefined, "INVALID_ARGUMENT", "step() uses those that are bound"],
    ["null", null, "INVALID_ARGUMENT", "null"],
    ["a bare gradient", one, "INVALID_ARGUMENT", "Float32Array(4)"],
    ["a Map", new Map(), "INVALID_ARGUMENT", "an instance of Map"],
    ["an empty array", [], "LENGTH_MISMATCH", "2 parameters", "received 0"],
    ["too few entries", [one], "LENGTH_MISMATCH", "received 1"],
    ["too many entries", [one, null, null], "LENGTH_MISMATCH", "received 3"],
    [
      "an undefined entry",
      [one, undefined],
      "INVALID_ARGUMENT",
      "Expected a Float32Array or a DeviceBuffer, or null for no gradient, for the gradient of dense/bias but received undefined",
    ],
    ["a hole", Object.assign(new Array(2), { 0: one }), "INVALID_ARGUMENT", "the gradient of dense/bias"],
    ["only nulls", [null, null], "INVALID_ARGUMENT", "at least one parameter"],
    ["an empty record", {}, "INVALID_ARGUMENT", "at least one parameter"],
    ["an unknown name", { "dense/kernel": one, bias: one }, "INVALID_ARGUMENT", '"bias"'],
    ["an undefined name", { "dense/kernel": undefined }, "INVALID_ARGUMENT", "null for no gradient"],
    ["another type", [new Float64Array(4), null], "INVALID_ARGUMENT", "Float64Array(4)"],
    ["another type of the same size", [new Int32Array(4), null], "INVALID_ARGUMENT", "Int32Array(4)"],
    ["a proxy", [new Proxy(one, {}), null], "INVALID_ARGUMENT", "the gradient of dense/kernel"],
    ["another length", [one, new Float32Array(3)], "LENGTH_MISMATCH", "Expected 2", "received 3"],
  ];
  for (const [what, gradients, code, ...parts] of wrong) {
    it(`apply() with ${what} is an error that changes nothing`, () => {
      const built = pair();
      const before = snapshot(built);
      rejectsWith(code, () => built.optimizer.apply(gradients as Gradients), ...parts);
      expect(snapshot(built)).to.deep.equal(before);
    });
  }

  it("step() without bound gradients is an error", () => {
    const optimizer = new AdamW().build([{ name: "a", value: new Float32Array(2) }]);
    rejects(() => optimizer.step(), "No parameter has a gradient bound");
  });

  it("gradientScale multiplies the gradients, and is a finite number above 0 in float32", () => {
    const [scaled, doubled] = [pair(), pair()];
    scaled.optimizer.step({ gradientScale: 2 });
    const twice = (gradient: Float32Array) => gradient.map((x) => 2 * x);
    doubled.optimizer.apply([twice(doubled.kernelGradient), twice(doubled.biasGradient)]);
    expect(snapshot(scaled)).to.deep.equal(snapshot(doubled));
    for (const gradientScale of [0, -1, Number.NaN, Infinity, "1", 1e300, 1e-300]) {
      rejects(() => scaled.optimizer.step({ gradientScale: gradientScale as number }), "gradientScale");
    }
    rejects(() => scaled.optimizer.step({ gradientscale: 1 } as object), "did you mean gradientScale?");
    expect(scaled.optimizer.iterations).to.equal(1);
  });

  it("frozen parameters take part in nothing", () => {
    const { optimizer, kernel, kernelGradient } = pair({
      groups: [{ match: "**/kernel", frozen: true }],
      useEma: true,
      emaOverwriteFrequency: 1,
      weightDecay: 0.5,
      globalClipnorm: 10,
      zeroGradients: true,
      nonFinite: "throw",
      reportNorms: true,
    });
    kernelGradient[0] = Number.NaN;
    const report = optimizer.step();
    expect(report!.globalNorm).to.equal(Math.SQRT1_2);
    expect([...(report!.parameterNorms ?? [])]).to.deep.equal([Number.NaN, Math.SQRT1_2]);
    optimizer.finalizeVariableValues();
    expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
    expect(kernelGradient[0]).to.be.NaN;
    expect(optimizer.variables.filter(({ path }) => path.includes("kernel"))).to.deep.equal([]);
    rejects(() => optimizer.apply([kernelGradient, null]), "at least one parameter");
  });

  it("leaves parameters out of weight decay from before or after build on, by the newest call", () => {
    const decayed = (prepare: (optimizer: AdamW) => void) => {
      const value = Float32Array.of(1);
      const bias = Float32Array.of(1);
      const optimizer = new AdamW({ weightDecay: 0.5, learningRate: 0.5 });
      if (prepare.name === "before") prepare(optimizer);
      optimizer.build([
        { name: "w", value },
        { name: "bias", value: bias },
      ]);
      if (prepare.name !== "before") prepare(optimizer);
      optimizer.apply([new Float32Array(1), new Float32Array(1)]);
      return [value[0], bias[0]];
    };
    const before = (optimizer: AdamW) => optimizer.excludeFromWeightDecay({ names: ["bias"] });
    const after = (optimizer: AdamW) => optimizer.excludeFromWeightDecay({ parameters: ["bias"] });
    const replaced = (optimizer: AdamW) => {
      optimizer.excludeFromWeightDecay({ names: ["bias"] });
      optimizer.excludeFromWeightDecay({ names: [/^w$/] });
    };
    expect(decayed(before)).to.deep.equal([0.75, 1]);
    expect(decayed(after)).to.deep.equal([0.75, 1]);
    expect(decayed(replaced)).to.deep.equal([1, 0.75]);
  });

  it("an excluded parameter given by its value is known by its name, in other memory too", () => {
    const { optimizer, bias } = pair();
    optimizer.excludeFromWeightDecay({ parameters: [bias] });
    optimizer.rebind([{ name: "dense/bias", value: bias.slice() }]);
    expect(optimizer.getConfig().exclude_from_weight_decay).to.deep.equal({ names: [], parameters: ["dense/bias"] });
    rejects(() => optimizer.excludeFromWeightDecay({ parameters: ["bias"] }), "parameters[0]");
    rejects(() => optimizer.excludeFromWeightDecay({ name: ["bias"] } as object), "did you mean names?");
  });

  it("after dispose() everything but dispose() is an error, and the parameters stay", () => {
    const { optimizer, kernel, gradients } = pair({ useEma: true });
    optimizer.step();
    const before = [...kernel];
    const [variable] = optimizer.variables.slice(-1);
    optimizer.dispose();
    optimizer.dispose();
    optimizer[Symbol.dispose]();
    expect(optimizer.built).to.equal(false);
    for (const act of [
      () => optimizer.step(),
      () => optimizer.apply(gradients),
      () => optimizer.build([{ name: "a", value: new Float32Array(1) }]),
      () => optimizer.rebind([]),
      () => optimizer.iterations,
      () => optimizer.learningRate,
      () => optimizer.lossScale,
      () => optimizer.variables,
      () => variable?.value,
      () => optimizer.setWeights([]),
      () => optimizer.excludeFromWeightDecay({}),
      () => optimizer.swapEma(),
      () => optimizer.finalizeVariableValues(),
      () => optimizer.synchronize(),
      () => {
        optimizer.learningRate = 1;
      },
    ]) {
      rejectsWith("DISPOSED", act);
    }
    expect([...kernel]).to.deep.equal(before);
  });
});
