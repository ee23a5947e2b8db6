import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { type ParameterInit, parseParameters } from "../lib/parameters.js";
import type { Rebinding } from "../lib/rebinding.js";
import { pair, snapshot } from "./optimizers.js";
import { rejects, rejectsWith } from "./rejects.js";

const value = () => new Float32Array(6);

describe("parameters", () => {
  it("have the shape of their value by default, and keep a frozen copy of the one given", () => {
    const shape = [2, 3];
    const [flat, matrix] = parseParameters([
      { name: "flat", value: value() },
      { name: "matrix", shape, value: value() },
    ]);
    shape[0] = 6;
    expect(flat?.shape).to.deep.equal([6]);
    expect(matrix?.shape).to.deep.equal([2, 3]).and.to.satisfy(Object.isFrozen);
    expect(matrix).to.include({ length: 6, gradient: null });
  });

  it("may be scalars, and may be empty", () => {
    const [scalar, empty] = parseParameters([
      { name: "scalar", shape: [], value: new Float32Array(1) },
      { name: "empty", shape: [3, 0], value: new Float32Array(0) },
    ]);
    expect(scalar?.length).to.equal(1);
    expect(empty?.length).to.equal(0);
  });

  const wrong: [what: string, list: unknown, ...parts: string[]][] = [
    ["no list", undefined, "a non-empty array", "undefined"],
    ["an empty list", [], "a non-empty array", "[]"],
    ["a hole", new Array(1), "parameters[0]", "a plain object"],
    ["a bare array", [value()], "parameters[0]", "Float32Array(6)"],
    ["a misspelt key", [{ name: "a", value: value(), grad: value() }], "did you mean gradient?", '"grad"'],
    ["no name", [{ value: value() }], "parameters[0].name", "undefined"],
    ["an empty name", [{ name: "", value: value() }], "parameters[0].name"],
    ["no value", [{ name: "a" }], " or a DeviceBuffer for the value of a", "undefined"],
    ["a Float64Array", [{ name: "a", value: new Float64Array(6) }], "a Float32Array", "Float64Array(6)"],
    ["an array of numbers", [{ name: "a", value: [1, 2] }], "a Float32Array", "[1, 2]"],
    ["a look-alike", [{ name: "a", value: Object.create(Float32Array.prototype) }], "a Float32Array"],
    ["a proxy", [{ name: "a", value: new Proxy(value(), {}) }], "a Float32Array"],
    ["a gradient of another type", [{ name: "a", value: value(), gradient: [1] }], "the gradient of a", "[1]"],
    ["a number as shape", [{ name: "a", shape: 6, value: value() }], "parameters[0].shape", "an array", "6"],
    ["a fraction as extent", [{ name: "a", shape: [1.5, 4], value: value() }], "parameters[0].shape[0]", "1.5"],
    ["a negative extent", [{ name: "a", shape: [-6], value: value() }], "parameters[0].shape[0]", "-6"],
    [
      "a name twice",
      [
        { name: "a", value: value() },
        { name: "a", value: value() },
      ],
      "parameters[1].name",
      '"a"',
    ],
  ];
  for (const [what, list, ...parts] of wrong) {
    it(`${what} is an error that says where`, () => {
      rejects(() => parseParameters(list as ParameterInit[]), ...parts);
    });
  }

  it("must have as many elements as their shape, and a gradient as many as the value", () => {
    const mismatch = (init: ParameterInit, ...parts: string[]) =>
      rejectsWith("LENGTH_MISMATCH", () => parseParameters([init]), ...parts);
    mismatch({ name: "a", shape: [2, 4], value: value() }, "6 elements", "[2, 4] has 8");
    mismatch({ name: "a", shape: [], value: value() }, "[] has 1");
    mismatch({ name: "a", value: value(), gradient: new Float32Array(5) }, "Expected 6", "the gradient of a", "5");
  });

  it("must not overlap in shared memory, whichever objects stand for it", () => {
    const memory = new SharedArrayBuffer(64);
    const list = [memory, structuredClone(memory)].map((buffer, i) => ({ name: `p${i}`, buffer }));
    const at = (offset: number) =>
      list.map(({ name, buffer }, i) => ({ name, value: new Float32Array(buffer, i * offset, 4) }));
    expect(parseParameters(at(16))).to.have.length(2);
    rejects(() => parseParameters(at(12)), "overlap", "the value of p0", "the value of p1");
  });

  it("must not overlap in one buffer, but may touch", () => {
    const buffer = new ArrayBuffer(64);
    const at = (offset: number, length: number) => new Float32Array(buffer, offset * 4, length);
    const build = (...arrays: Float32Array[]) =>
      parseParameters(arrays.map((array, i) => ({ name: `p${i}`, value: array })));
    expect(build(at(4, 4), at(0, 4), at(8, 8), at(6, 0))).to.have.length(4);
    rejects(() => build(at(0, 8), at(7, 2)), "overlap", "the value of p0", "the value of p1");
    rejects(() => build(at(0, 16), at(4, 2)), "overlap");
    rejects(() => build(at(3, 3), at(3, 3)), "overlap");
    const gradient = at(0, 4);
    rejects(() => parseParameters([{ name: "a", value: at(2, 4), gradient }]), "the gradient of a and the value of a");
  });

  it("of another realm are taken for what they are", () => {
    const foreign = runInNewContext("new Float32Array([1, 2])") as Float32Array;
    const gradient = runInNewContext("[new Float32Array([1, 1])]") as Float32Array[];
    expect(foreign).not.to.be.instanceOf(Float32Array);
    const optimizer = new AdamW({ weightDecay: 0 }).build([{ name: "a", value: foreign }]);
    optimizer.apply(gradient);
    expect(foreign[0]).to.be.below(1);
  });

  it("are shown by the optimizer as copies that nothing writes through", () => {
    const { optimizer } = pair();
    const [first] = optimizer.parameters;
    expect(first).to.include({ name: "dense/kernel", length: 4 }).and.to.satisfy(Object.isFrozen);
  });
});

describe("rebinding", () => {
  it("goes on with the state over other memory", () => {
    const moved = pair();
    const stayed = pair();
    moved.optimizer.step();
    stayed.optimizer.step();
    const kernel = moved.kernel.slice();
    const before = [...moved.kernel];
    moved.optimizer.rebind([{ name: "dense/kernel", value: kernel }]);
    moved.optimizer.step();
    stayed.optimizer.step();
    expect([...kernel]).to.deep.equal([...stayed.kernel]);
    expect([...moved.kernel]).to.deep.equal(before);
  });

  it("takes a gradient alone, none, and several bindings of one parameter", () => {
    const { optimizer, bias } = pair({ weightDecay: 0 });
    optimizer.rebind([{ name: "dense/bias", gradient: null }]);
    optimizer.step();
    expect([...bias]).to.deep.equal([0.5, 0.25]);
    const other = Float32Array.of(0.5, 0.25);
    const gradient = Float32Array.of(1, 1);
    optimizer.rebind([
      { name: "dense/bias", value: other },
      { name: "dense/bias", gradient },
    ]);
    optimizer.step();
    expect(other[0]).to.be.below(0.5);
    expect([...bias]).to.deep.equal([0.5, 0.25]);
  });

  const wrong: [what: string, bindings: unknown, code: "INVALID_ARGUMENT" | "LENGTH_MISMATCH", ...parts: string[]][] = [
    ["no list", { name: "dense/bias" }, "INVALID_ARGUMENT", "an array of"],
    ["an unknown name", [{ name: "bias", value: value() }], "INVALID_ARGUMENT", "bindings[0].name", '"bias"'],
    ["an unknown key", [{ name: "dense/bias", shape: [2] }], "INVALID_ARGUMENT", '"shape"'],
    ["another length", [{ name: "dense/bias", value: value() }], "LENGTH_MISMATCH", "Expected 2", "received 6"],
    [
      "a second gradient",
      [
        { name: "dense/bias", gradient: null },
        { name: "dense/bias", gradient: null },
      ],
      "INVALID_ARGUMENT",
      "one value and one gradient at most",
    ],
    ["a null value", [{ name: "dense/bias", value: null }], "INVALID_ARGUMENT", "the value of dense/bias"],
  ];
  for (const [what, bindings, code, ...parts] of wrong) {
    it(`${what} is an error, and nothing is rebound`, () => {
      const built = pair();
      const other = new Float32Array(4);
      const all = Array.isArray(bindings) ? [{ name: "dense/kernel", value: other }, ...bindings] : bindings;
      const shown = parts.map((part) => part.replace("[0]", "[1]"));
      const before = snapshot(built);
      rejectsWith(code, () => built.optimizer.rebind(all as Rebinding[]), ...shown);
      expect(snapshot(built)).to.deep.equal(before);
      built.optimizer.step();
      expect([...other]).to.deep.equal([0, 0, 0, 0]);
    });
  }

  it("memory that overlaps another parameter's is an error", () => {
    const { optimizer, kernel } = pair();
    rejects(() => optimizer.rebind([{ name: "dense/bias", value: kernel.subarray(1, 3) }]), "overlap");
  });

  it("onto memory that is passed as a gradient is an error where that is zeroed", () => {
    const { optimizer, bias, gradients } = pair({ zeroGradients: true });
    const passed = [gradients[0], Float32Array.of(1, 2)];
    optimizer.apply(passed);
    optimizer.rebind([{ name: "dense/bias", value: passed[1]! }]);
    passed[1]!.set([1, 2]);
    rejects(() => optimizer.apply(passed), "overlap");
    expect([...passed[1]!]).to.deep.equal([1, 2]);
    optimizer.rebind([{ name: "dense/bias", value: bias }]);
    expect(optimizer.apply(passed)!.iteration).to.equal(2);
  });
});
