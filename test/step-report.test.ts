import { expect } from "chai";
import { AdamW } from "../lib/index.js";
import { pair, snapshot } from "./optimizers.js";
import { rejects, rejectsWith } from "./rejects.js";

const norm = Math.hypot(...Float32Array.of(0.1, -0.2, 0.3, -0.4, 0.5, -0.5));

describe("a step's report", () => {
  it("holds null for what nothing needed", () => {
    expect(pair().optimizer.step()).to.deep.equal({
      iteration: 1,
      microStep: 1,
      learningRate: 0.001,
      lossScale: 1,
      globalNorm: null,
      clipScale: null,
      finite: null,
      skipped: false,
      skippedSteps: 0,
      consecutiveSkips: 0,
    });
  });

  it("holds the norm before clipping, and the factor of clipping", () => {
    const clipped = pair({ globalClipnorm: 0.25 }).optimizer.step();
    expect(clipped!.globalNorm).to.be.closeTo(norm, 1e-15);
    expect(clipped!.clipScale).to.be.closeTo(0.25 / norm, 1e-15);
    expect(clipped!.finite).to.equal(true);
    expect(pair({ globalClipnorm: 1 }).optimizer.step()!.clipScale).to.equal(1);
  });

  it("holds the norms of unscaled, averaged gradients on request, of each parameter too", () => {
    const { optimizer, gradients } = pair({ reportNorms: true, lossScaleFactor: 4, gradientAccumulationSteps: 2 });
    const micro = optimizer.step();
    expect(micro).to.include({ iteration: 0, microStep: 1, globalNorm: null, clipScale: null, finite: true });
    expect(micro).not.to.have.property("parameterNorms");
    const { globalNorm, lossScale, parameterNorms } = optimizer.apply([gradients[0], null])!;
    expect(lossScale).to.equal(4);
    const kernelNorm = Math.hypot(...gradients[0]) / 4;
    expect(globalNorm).to.be.closeTo(kernelNorm, 1e-7);
    expect(parameterNorms?.[0]).to.be.closeTo(kernelNorm, 1e-7);
    expect(parameterNorms?.[1]).to.be.NaN;
  });

  it("counts raw steps and updates", () => {
    const { optimizer } = pair({ gradientAccumulationSteps: 2 });
    const counts = Array.from({ length: 5 }, () => optimizer.step()!).map(({ iteration, microStep }) => [
      iteration,
      microStep,
    ]);
    expect(counts).to.deep.equal([
      [0, 1],
      [1, 2],
      [1, 3],
      [2, 4],
      [2, 5],
    ]);
    expect(optimizer.iterations).to.equal(2);
  });

  it("a parameter without gradient in the update's step loses what it has accumulated, as in Keras", () => {
    const { optimizer, bias, biasGradient, kernelGradient } = pair({ gradientAccumulationSteps: 2, weightDecay: 0 });
    const accumulated = () => optimizer.variables.find(({ path }) => path.endsWith("bias_gradient_accumulator"))?.value;
    optimizer.step();
    expect([...(accumulated() ?? [])]).to.deep.equal([...biasGradient]);
    optimizer.apply([kernelGradient, null]);
    expect([...(accumulated() ?? [])]).to.deep.equal([0, 0]);
    expect([...bias]).to.deep.equal([0.5, 0.25]);
  });
});

describe("a gradient that is not finite", () => {
  it("reaches the parameters by default", () => {
    const { optimizer, bias, biasGradient } = pair();
    biasGradient[1] = Number.NaN;
    expect(optimizer.step()).to.include({ skipped: false, finite: null });
    expect(bias[0]).to.be.below(0.5);
    expect(bias[1]).to.be.NaN;
  });

  it("skips the step for all parameters, with everything but the skips as it was", () => {
    const built = pair({ nonFinite: "skip", useEma: true, learningRate: () => 0.5 });
    built.optimizer.step();
    const { report: _, ...before } = snapshot(built);
    built.biasGradient[1] = Infinity;
    const first = built.optimizer.step();
    expect(first).to.include({ iteration: 1, microStep: 1, finite: false, skipped: true, skippedSteps: 1 });
    expect(first!.globalNorm).to.equal(Infinity);
    expect(built.optimizer.step()).to.include({ skippedSteps: 2, consecutiveSkips: 2 });
    expect(snapshot(built)).to.deep.include(before);
    built.biasGradient[1] = 1;
    expect(built.optimizer.step()).to.include({ iteration: 2, skipped: false, skippedSteps: 2, consecutiveSkips: 0 });
  });

  it("skips a micro-batch and accumulates the next ones", () => {
    const built = pair({ nonFinite: "skip", gradientAccumulationSteps: 2 });
    built.kernelGradient[0] = Number.NaN;
    expect(built.optimizer.step()).to.include({ microStep: 0, skipped: true, globalNorm: null, finite: false });
    built.kernelGradient[0] = 1;
    expect(built.optimizer.step()).to.include({ microStep: 1, skipped: false, finite: true });
    expect(built.optimizer.step()).to.include({ iteration: 1, skipped: false });
  });

  it("is an error that names the parameters and leaves even the counters and the gradients", () => {
    const built = pair({ nonFinite: "throw", zeroGradients: true });
    built.biasGradient[0] = Number.NaN;
    const before = snapshot(built);
    rejectsWith("NON_FINITE", () => built.optimizer.step(), "dense/bias", "nothing was changed");
    expect(snapshot(built)).to.deep.equal(before);
    expect(built.kernelGradient[0]).not.to.equal(0);
    built.biasGradient[0] = 1;
    expect(built.optimizer.step()).to.include({ iteration: 1, skippedSteps: 0, consecutiveSkips: 0 });
  });
});

describe("skipAboveNorm", () => {
  it("skips what is above it, and nothing at it", () => {
    const { optimizer, gradients } = pair({ skipAboveNorm: 5 });
    gradients[0].set([3, 4, 0, 0]);
    gradients[1].fill(0);
    expect(optimizer.step()).to.include({ globalNorm: 5, skipped: false });
    gradients[0][2] = 0.5;
    expect(optimizer.step()).to.include({ iteration: 1, finite: true, skipped: true, skippedSteps: 1 });
  });

  it("leaves out the one gradient of a window that is above it, and goes on", () => {
    const optimizer = new AdamW({ gradientAccumulationSteps: 4, skipAboveNorm: 10, learningRate: 0.1 });
    const value = Float32Array.of(1);
    optimizer.build([{ name: "w", value }]);
    const skipped = [1, 1, 200, 1, 9, 41, 9, 1].map((g) => optimizer.apply([Float32Array.of(g)])?.skipped);
    expect(skipped).to.deep.equal([false, false, true, false, false, true, false, false]);
    expect(optimizer.report).to.include({ iteration: 1, microStep: 6, skippedSteps: 2, consecutiveSkips: 0 });
  });
});

describe("zeroGradients", () => {
  it("zeroes what the step has read, in a skipped step too, and nothing else", () => {
    const { optimizer, gradients } = pair({ zeroGradients: true, nonFinite: "skip" });
    optimizer.apply([gradients[0], null]);
    expect([...gradients[0]]).to.deep.equal([0, 0, 0, 0]);
    expect(gradients[1][0]).to.equal(0.5);
    gradients[0][1] = Number.NaN;
    expect(optimizer.step()!.skipped).to.equal(true);
    expect([...gradients[0], ...gradients[1]]).to.deep.equal([0, 0, 0, 0, 0, 0]);
  });

  it("zeroes a finite gradient that is skipped for its norm, whatever a non-finite one does", () => {
    const { optimizer, gradients } = pair({ zeroGradients: true, nonFinite: "throw", skipAboveNorm: 1e-3 });
    expect(optimizer.step()).to.include({ finite: true, skipped: true });
    expect([...gradients[0], ...gradients[1]]).to.deep.equal([0, 0, 0, 0, 0, 0]);
  });

  it("needs gradients with memory of their own", () => {
    const { optimizer, kernelGradient } = pair({ zeroGradients: true });
    rejects(() => optimizer.apply([kernelGradient, kernelGradient.subarray(1, 3)]), "overlap");
    expect(kernelGradient[0]).not.to.equal(0);
  });
});
