import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { LossScaleOptimizer } from "../lib/loss-scale-optimizer.js";
import type { LossScaleOptions } from "../lib/loss-scale-options.js";
import type { Variable } from "../lib/variables.js";
import { contents, pair } from "./optimizers.js";
import { rejects, rejectsWith } from "./rejects.js";

function scaled(options: LossScaleOptions = {}) {
  const built = pair();
  return { ...built, optimizer: new LossScaleOptimizer(built.optimizer, options) };
}

describe("LossScaleOptimizer", () => {
  it("takes an AdamW that neither scales nor throws by itself", () => {
    rejects(() => new LossScaleOptimizer({} as AdamW), "an AdamW");
    rejects(() => new LossScaleOptimizer(new AdamW({ lossScaleFactor: 2 })), "lossScaleFactor");
    rejects(() => new LossScaleOptimizer(new AdamW({ nonFinite: "throw" })), "nonFinite");
    rejects(() => new LossScaleOptimizer(new AdamW(), { initialScale: 2 ** 128 }), "initialScale");
    rejects(() => new LossScaleOptimizer(new AdamW(), { growth: 1 } as object), "dynamicGrowthSteps");
  });

  it("takes an AdamW that JSON cannot describe yet", () => {
    const bias = new Float32Array(2);
    const inner = new AdamW({ learningRate: () => 0.1, excludeFromWeightDecay: { parameters: [bias] } });
    expect(new LossScaleOptimizer(inner).learningRate).to.equal(0.1);
  });

  it("steps as the inner optimizer does with gradients divided by the scale", () => {
    const { optimizer, kernel, gradients } = scaled({ initialScale: 8 });
    const plain = pair();
    expect(optimizer.scaleLoss(3)).to.equal(24);
    expect(optimizer.scaleLoss(Number.POSITIVE_INFINITY)).to.equal(Number.POSITIVE_INFINITY);
    rejects(() => optimizer.scaleLoss("3" as never), 'a number for loss but received "3"');
    const report = optimizer.apply(gradients.map((gradient) => gradient.map((x) => 8 * x)));
    plain.optimizer.step();
    expect(report).to.include({ lossScale: 8, finite: true });
    expect([...kernel]).to.deep.equal([...plain.kernel]);
    expect(optimizer).to.include({ iterations: 1, report, learningRate: 0.001, name: "loss_scale_optimizer" });
  });

  it("halves the scale and skips when a gradient is not finite, doubles it after enough finite steps", () => {
    const { optimizer, kernel, kernelGradient } = scaled({ initialScale: 8, dynamicGrowthSteps: 2 });
    const scales = [1, 1, Number.NaN, Infinity, 1, 1].map((gradient) => {
      kernelGradient[0] = gradient;
      const before = [...kernel];
      const { skipped, finite } = optimizer.step()!;
      expect(skipped).to.equal(!finite);
      expect([...kernel].join() === before.join()).to.equal(skipped);
      return optimizer.lossScale;
    });
    expect(scales).to.deep.equal([8, 16, 8, 4, 4, 8]);
    expect(optimizer.iterations).to.equal(4);
  });

  it("keeps the scale between its limits", () => {
    const { optimizer, kernelGradient } = scaled({
      initialScale: 4,
      minimumScale: 3,
      maximumScale: 7,
      dynamicGrowthSteps: 1,
    });
    optimizer.step();
    expect(optimizer.lossScale).to.equal(7);
    kernelGradient[0] = Number.NaN;
    for (let i = 0; i < 3; i += 1) optimizer.step();
    expect(optimizer.lossScale).to.equal(3);
  });

  it("has four variables of its own before the inner ones, as in Keras", () => {
    const { optimizer } = scaled({ initialScale: 8, name: "scale" });
    optimizer.step();
    const paths = ["iteration", "learning_rate", "step_counter", "dynamic_scale"].map((name) => `scale/${name}`);
    expect(optimizer.variables.map(({ path }) => path)).to.deep.equal([
      ...paths,
      ...optimizer.innerOptimizer.variables.map(({ path }) => path),
    ]);
    expect(contents(optimizer.variables.slice(0, 4))).to.deep.equal([[0], [0], [1], [8]]);
  });

  it("sets all its weights or none", () => {
    const { optimizer } = scaled({ initialScale: 0.1, minimumScale: 0.1, maximumScale: 16 });
    optimizer.step();
    const before = contents(optimizer.variables);
    optimizer.setWeights(optimizer.variables);
    expect(contents(optimizer.variables)).to.deep.equal(before);
    const filled = optimizer.variables.map((variable) => ({ ...variable, value: variable.value.map(() => 1) }));
    const spoilt: [at: number, fields: Partial<Variable>][] = [
      [3, { value: Float32Array.of(0) }],
      [3, { value: Float32Array.of(Number.NaN) }],
      [3, { value: Float32Array.of(32) }],
      [2, { value: Int32Array.of(-1) }],
      [9, { path: "x" }],
      [9, { value: new Float32Array(3) }],
    ];
    for (const [at, fields] of spoilt) {
      const list = filled.map((variable, i) => (i === at ? { ...variable, ...fields } : variable));
      const code = fields.value?.length === 3 ? "LENGTH_MISMATCH" : "INVALID_ARGUMENT";
      rejectsWith(code, () => optimizer.setWeights(list as Variable[]));
      expect(contents(optimizer.variables)).to.deep.equal(before);
    }
    rejectsWith("LENGTH_MISMATCH", () => optimizer.setWeights(filled.slice(1)));
    optimizer.setWeights(filled as Variable[]);
    expect(optimizer).to.include({ lossScale: 1, iterations: 1 });
  });

  it("is the only one around its inner optimizer, and is put there between steps and loads", async () => {
    const { optimizer: innerOptimizer } = pair();
    const stepping = innerOptimizer.stepAsync();
    rejectsWith("BUSY", () => new LossScaleOptimizer(innerOptimizer));
    await stepping;
    const scale = new LossScaleOptimizer(innerOptimizer, { initialScale: 8 });
    rejects(() => new LossScaleOptimizer(innerOptimizer), "LossScaleOptimizer around it");
    expect(scale.lossScale).to.equal(8);
  });

  it("needs build, and is disposed with the inner optimizer", () => {
    const optimizer = new LossScaleOptimizer(new AdamW(), { initialScale: 2 });
    expect(optimizer).to.include({ built: false, lossScale: 2 });
    rejectsWith("NOT_BUILT", () => optimizer.variables);
    rejectsWith("NOT_BUILT", () => optimizer.step());
    expect(optimizer.build([{ name: "a", value: new Float32Array(1) }])).to.equal(optimizer);
    optimizer[Symbol.dispose]();
    rejectsWith("DISPOSED", () => optimizer.variables);
    rejectsWith("DISPOSED", () => optimizer.lossScale);
    rejectsWith("DISPOSED", () => optimizer.step());
  });
});
