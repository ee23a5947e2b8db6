import { runInNewContext } from "node:vm";
import { expect } from "chai";
import type { AdamWError } from "../lib/errors.js";
import { CosineDecay } from "../lib/schedules/index.js";
import type { Variable } from "../lib/variables.js";
import { contents, pair, snapshot } from "./optimizers.js";
import { rejectsWith } from "./rejects.js";

const everything = { useEma: true, amsgrad: true, gradientAccumulationSteps: 2, name: "opt" };

describe("variables", () => {
  it("have Keras' order, paths, shapes and types", () => {
    const { optimizer } = pair(everything);
    const slots = (...names: string[]) => names.map((name) => `opt/dense_${name}`);
    expect(optimizer.variables.map(({ path }) => path)).to.deep.equal([
      "opt/iteration",
      "opt/learning_rate",
      ...slots("kernel_average", "bias_average"),
      ...slots("kernel_gradient_accumulator", "bias_gradient_accumulator"),
      ...slots("kernel_momentum", "kernel_velocity", "bias_momentum", "bias_velocity"),
      ...slots("kernel_velocity_hat", "bias_velocity_hat"),
    ]);
    const [iteration, learningRate, average] = optimizer.variables;
    expect(iteration).to.deep.include({ shape: [], dtype: "int32", value: Int32Array.of(0) });
    expect(learningRate).to.deep.include({ shape: [], dtype: "float32", value: Float32Array.of(0.001) });
    expect(average).to.deep.include({ shape: [2, 2], dtype: "float32" });
  });

  it("have no learning rate when it is computed", () => {
    for (const learningRate of [() => 1, new CosineDecay({ initialLearningRate: 1, decaySteps: 2 })]) {
      expect(pair({ learningRate }).optimizer.variables[1]?.path).to.equal("adamw/dense_kernel_momentum");
    }
  });

  it("are fresh copies of the newest state", () => {
    const { optimizer } = pair();
    const momentum = optimizer.variables[2] as Variable;
    momentum.value.fill(7);
    expect([...momentum.value]).to.deep.equal([0, 0, 0, 0]);
    optimizer.step();
    expect(momentum.value[0]).to.be.closeTo(0.01, 1e-8);
  });

  it("stay what they were as a structuredClone", () => {
    const { optimizer } = pair(everything);
    optimizer.step();
    const [kept, before] = [structuredClone(optimizer.variables), contents(optimizer.variables)];
    optimizer.step();
    expect(contents(optimizer.variables)).not.to.deep.equal(before);
    optimizer.setWeights(kept);
    expect(contents(optimizer.variables)).to.deep.equal(before);
  });

  it("carry a run into another optimizer", () => {
    const [first, second] = [pair(everything), pair(everything)];
    for (let i = 0; i < 5; i += 1) first.optimizer.step();
    second.optimizer.setWeights(first.optimizer.variables);
    second.kernel.set(first.kernel);
    second.bias.set(first.bias);
    first.optimizer.step();
    second.optimizer.step();
    expect(snapshot(second)).to.deep.equal(snapshot(first));
  });

  it("carry every parameter's count of updates where PyTorch's formula goes by it", () => {
    const run = () => pair({ formula: "torch" });
    const [one, other] = [run(), run()];
    for (let i = 0; i < 9; i += 1) one.optimizer.apply([one.gradients[0], null]);
    one.optimizer.step();
    const state = structuredClone(one.optimizer.variables);
    expect(state.at(-1)).to.deep.equal({
      path: "adamw/steps",
      shape: [2],
      dtype: "int32",
      value: Int32Array.of(10, 1),
    });
    other.kernel.set(one.kernel);
    other.bias.set(one.bias);
    other.optimizer.setWeights(state);
    for (const { optimizer } of [one, other]) optimizer.step();
    expect({ ...snapshot(other), report: null }).to.deep.equal({ ...snapshot(one), report: null });
    state.at(-1)!.value[1] = -1;
    rejectsWith("INVALID_ARGUMENT", () => other.optimizer.setWeights(state), "adamw/steps", "-1");
  });

  it("keep a learning rate's double that rounds to the same float32", () => {
    const [first, second] = [pair({ learningRate: 0.1 }), pair({ learningRate: 0.1 })];
    second.optimizer.setWeights(first.optimizer.variables);
    expect(second.optimizer.learningRate).to.equal(0.1);
    first.optimizer.learningRate = 0.3;
    second.optimizer.setWeights(first.optimizer.variables);
    expect(second.optimizer.learningRate).to.equal(Math.fround(0.3));
  });

  it("are taken from another realm too", () => {
    const { optimizer } = pair();
    const list = optimizer.variables.map((variable) => ({ ...variable }));
    Object.assign(list[0] as object, { value: runInNewContext("Int32Array.of(5)") });
    optimizer.setWeights(list);
    expect(optimizer.iterations).to.equal(5);
  });

  const wrong: [what: string, code: AdamWError["code"], spoil: (list: Variable[]) => unknown, ...parts: string[]][] = [
    ["no list", "INVALID_ARGUMENT", () => null, "null"],
    ["one too few", "LENGTH_MISMATCH", (list) => list.slice(1), "Expected 6", "received 5"],
    ["one too many", "LENGTH_MISMATCH", (list) => [...list, list[0]], "received 7"],
    ["another order", "INVALID_ARGUMENT", (list) => [...list].reverse(), "weights[0].path", "adamw/iteration"],
    ["another path", "INVALID_ARGUMENT", change(5, { path: "x" }), "weights[5].path", '"x"'],
    ["another shape", "INVALID_ARGUMENT", change(5, { shape: [1, 2] }), "weights[5].shape", "[2]"],
    ["another dtype", "INVALID_ARGUMENT", change(0, { dtype: "float32" }), "weights[0].dtype"],
    ["another type of array", "INVALID_ARGUMENT", change(5, { value: Int32Array.of(1, 2) }), "a Float32Array"],
    ["numbers", "INVALID_ARGUMENT", change(5, { value: [1, 2] as never }), "a Float32Array"],
    ["another length", "LENGTH_MISMATCH", change(5, { value: new Float32Array(3) }), "dense_bias_velocity"],
    ["an unknown key", "INVALID_ARGUMENT", change(5, { name: "x" } as object), '"name"'],
    ["a negative count", "INVALID_ARGUMENT", change(0, { value: Int32Array.of(-1) }), "adamw/iteration", "-1"],
    ["no rate", "INVALID_ARGUMENT", change(1, { value: Float32Array.of(Number.NaN) }), "adamw/learning_rate", "NaN"],
  ];
  for (const [what, code, spoil, ...parts] of wrong) {
    it(`setWeights() with ${what} is an error that changes nothing`, () => {
      const built = pair();
      built.optimizer.step();
      const before = snapshot(built);
      const filled = built.optimizer.variables.map(({ path, shape, dtype, value }) => ({
        path,
        shape,
        dtype,
        value: value.map((x) => x + 1),
      }));
      rejectsWith(code, () => built.optimizer.setWeights(spoil(filled) as Variable[]), ...parts);
      expect(snapshot(built)).to.deep.equal(before);
      built.optimizer.setWeights(filled);
      expect(contents(built.optimizer.variables)).to.deep.equal(contents(filled));
    });
  }
});

function change(at: number, fields: Partial<Variable>) {
  return (list: Variable[]) => list.map((variable, i) => (i === at ? { ...variable, ...fields } : variable));
}
