import { expect } from "chai";
import { contents, pair } from "./optimizers.js";
import { rejects, rejectsWith } from "./rejects.js";

const options = { useEma: true, emaMomentum: 0.5, learningRate: 0.1 };

describe("averages", () => {
  it("trade places with the parameters and back, bit for bit", () => {
    const { optimizer, kernel } = pair(options);
    optimizer.step();
    optimizer.step();
    const before = [...kernel];
    const state = contents(optimizer.variables);
    const average = optimizer.variables.find(({ path }) => path.endsWith("kernel_average"))?.value ?? [];
    expect([...average]).not.to.deep.equal(before);
    optimizer.swapEma();
    expect([...kernel]).to.deep.equal([...average]);
    optimizer.restoreEma();
    expect([...kernel]).to.deep.equal(before);
    expect(contents(optimizer.variables)).to.deep.equal(state);
  });

  it("in the parameters' place forbid what would take them for parameters", () => {
    const { optimizer, gradients } = pair(options);
    optimizer.step();
    optimizer.swapEma();
    rejects(() => optimizer.swapEma(), "once before restoreEma()");
    for (const act of [
      () => optimizer.step(),
      () => optimizer.apply(gradients),
      () => optimizer.variables,
      () => optimizer.setWeights([]),
    ]) {
      rejectsWith("BUSY", act, "restoreEma()");
    }
    optimizer.restoreEma();
    rejects(() => optimizer.restoreEma(), "undoes one swapEma()");
    expect(optimizer.step()!.iteration).to.equal(2);
  });

  it("are none before the first step: swapping is an error, finalizing leaves the parameters", () => {
    const { optimizer, kernel } = pair(options);
    rejects(() => optimizer.swapEma(), "before the first step");
    optimizer.finalizeVariableValues();
    expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
    optimizer.step();
    optimizer.swapEma();
  });

  it("are none before the first update where they move at updates only", () => {
    const { optimizer, kernel } = pair({ ...options, emaUpdates: "update", gradientAccumulationSteps: 2 });
    optimizer.step();
    rejects(() => optimizer.swapEma(), "before the first update");
    optimizer.finalizeVariableValues();
    expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
    optimizer.step();
    const updated = [...kernel];
    expect(updated).not.to.deep.equal([1, -2, 3, -4]);
    optimizer.swapEma();
    expect([...kernel]).to.deep.equal(updated);
  });

  it("have begun with the first micro-step where they move at each", () => {
    const { optimizer, kernel } = pair({ ...options, gradientAccumulationSteps: 2 });
    optimizer.step();
    kernel.fill(0);
    optimizer.swapEma();
    expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
  });

  it("become the parameters for good, swapped or not", () => {
    for (const swapped of [false, true]) {
      const { optimizer, kernel } = pair(options);
      optimizer.step();
      optimizer.step();
      const average = optimizer.variables.find(({ path }) => path.endsWith("kernel_average"))?.value ?? [];
      if (swapped) optimizer.swapEma();
      optimizer.finalizeVariableValues();
      expect([...kernel]).to.deep.equal([...average]);
      expect(optimizer.step()!.iteration).to.equal(3);
    }
  });

  it("survive the loss of the parameters' memory while swapped", () => {
    const { optimizer, kernel, bias } = pair(options);
    optimizer.step();
    const before = [...kernel];
    optimizer.swapEma();
    const moved = structuredClone(kernel, { transfer: [kernel.buffer] });
    rejectsWith("DETACHED", () => optimizer.restoreEma(), "the value of dense/kernel");
    rejectsWith("DETACHED", () => optimizer.finalizeVariableValues(), "the value of dense/kernel");
    expect(bias).to.have.length(2);
    optimizer.rebind([{ name: "dense/kernel", value: moved }]);
    optimizer.restoreEma();
    expect([...moved]).to.deep.equal(before);
  });

  it("are what memory that is bound while they are swapped holds", () => {
    const { optimizer, kernel } = pair(options);
    optimizer.step();
    const before = [...kernel];
    optimizer.swapEma();
    const other = Float32Array.of(5, 6, 7, 8);
    optimizer.rebind([{ name: "dense/kernel", value: other }]);
    optimizer.restoreEma();
    expect([...other]).to.deep.equal(before);
    optimizer.finalizeVariableValues();
    expect([...other]).to.deep.equal([5, 6, 7, 8]);
  });

  it("do not exist without useEma: swapping is an error, finalizing does nothing, as in Keras", () => {
    const { optimizer, kernel } = pair();
    rejects(() => optimizer.swapEma(), "useEma");
    rejects(() => optimizer.restoreEma(), "useEma");
    optimizer.finalizeVariableValues();
    expect([...kernel]).to.deep.equal([1, -2, 3, -4]);
  });
});
