import { expect } from "chai";
import { AdamW, DeviceBuffer, devices, openDevice, type TensorMemory } from "../lib/index.js";
import { rejects, rejectsWith } from "./rejects.js";

const usable = devices().filter(({ available }) => available);

describe("openDevice", () => {
  it("takes a name, a kind, or the best there is", () => {
    expect(openDevice().name).to.equal(usable[0]!.name);
    expect(openDevice("auto").kind).to.equal(usable[0]!.kind);
    expect(openDevice("cpu").kind).to.equal("cpu");
    expect(openDevice("cpu:scalar").name).to.equal("cpu:scalar");
    rejectsWith("NO_DEVICE", () => openDevice("cuda:99"), "cuda:99");
  });
});

for (const name of new Set([usable[0]!.name, "cpu:scalar"])) {
  describe(`A buffer of ${name}`, () => {
    const device = openDevice(name);
    const filled = (...values: number[]) => device.allocate("float32", values.length).write(Float32Array.from(values));

    it("begins with zeros, takes values and gives them back, whole or in part", () => {
      const buffer = device.allocate("float32", 4);
      expect([...buffer.read()]).to.deep.equal([0, 0, 0, 0]);
      expect([...buffer.write(Float32Array.of(1, 2), 1).read()]).to.deep.equal([0, 1, 2, 0]);
      expect([...buffer.read(new Float32Array(2), 2)]).to.deep.equal([2, 0]);
      expect([...buffer.fill(7).read()]).to.deep.equal([7, 7, 7, 7]);
      expect([buffer.length, buffer.byteLength, buffer.dtype, buffer.device]).to.deep.equal([4, 16, "float32", name]);
    });

    it("may be empty", () => {
      expect([...device.allocate("float32", 0).read()]).to.deep.equal([]);
    });

    it("shares its memory with its slices", () => {
      const buffer = filled(1, 2, 3, 4, 5);
      const slice = buffer.slice(1, 4);
      expect([...slice.read()]).to.deep.equal([2, 3, 4]);
      slice.slice(2).write(Float32Array.of(9));
      expect([...buffer.read()]).to.deep.equal([1, 2, 3, 9, 5]);
      expect(slice.pointer - buffer.pointer).to.equal(4n);
    });

    it("keeps to its bounds", () => {
      const buffer = filled(1, 2, 3);
      rejectsWith("LENGTH_MISMATCH", () => buffer.write(new Float32Array(4)), "3", "4");
      rejectsWith("LENGTH_MISMATCH", () => buffer.slice(1).read(new Float32Array(3)), "2", "3");
      rejects(() => buffer.read(new Float32Array(1), -1), "offset");
      const lost = new Float32Array(1);
      structuredClone(lost, { transfer: [lost.buffer] });
      rejectsWith("DETACHED", () => buffer.write(lost));
      rejects(() => buffer.slice(2, 1), "slice()");
      rejects(() => buffer.slice(0, 4), "slice()");
      rejects(() => device.allocate("float64" as "float32", 1), "dtype");
      rejects(() => device.allocate("float32", -1), "length");
    });

    it("is gone once disposed, with its slices", () => {
      const buffer = filled(1);
      const slice = buffer.slice(0);
      buffer.dispose();
      buffer.dispose();
      rejectsWith("DISPOSED", () => slice.read());
      rejectsWith("DISPOSED", () => buffer.pointer);
      rejectsWith("DISPOSED", () => new AdamW().build([{ name: "w", value: buffer }]), "w");
    });

    it("is made over memory that another owns, by its address", () => {
      const owner = filled(1, 2, 3);
      const borrowed = DeviceBuffer.fromPointer({ device, pointer: owner.pointer, dtype: "float32", length: 3, owner });
      borrowed.slice(1, 2).write(Float32Array.of(8));
      expect([...owner.read()]).to.deep.equal([1, 8, 3]);
      borrowed.dispose();
      expect([...owner.read()]).to.deep.equal([1, 8, 3]);
      const wrong = (pointer: bigint | number) =>
        DeviceBuffer.fromPointer({ device: name, pointer, dtype: "float32", length: 1 });
      rejects(() => wrong(0), "pointer");
      rejects(() => wrong(-1n), "pointer");
      rejects(() => wrong(6n), "a multiple of 4 for pointer");
    });

    it("is updated in place, its device is the optimizer's, and the bits are those of arrays", () => {
      const steps = (value: TensorMemory, gradient: TensorMemory, bound: boolean) => {
        const optimizer = new AdamW({ globalClipnorm: 1, zeroGradients: true });
        optimizer.build([{ name: "w", value, gradient: bound ? gradient : null }]);
        if (bound) optimizer.step();
        else optimizer.apply([gradient]);
        expect(optimizer.variables.at(-1)!.value).to.have.lengthOf(3);
        return optimizer.device;
      };
      const [value, gradient] = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)];
      for (const bound of [true, false]) {
        const [there, its] = [filled(1, 2, 3), filled(4, 5, 6)];
        expect(steps(there, its, bound)).to.equal(name);
        steps(value.fill(0) && Object.assign(value, [1, 2, 3]), Object.assign(gradient, [4, 5, 6]), bound);
        expect([...there.read()]).to.deep.equal([...value]);
        expect([...its.read()]).to.deep.equal([0, 0, 0]);
      }
    });

    it("must not overlap another one of the optimizer", () => {
      const buffer = filled(1, 2, 3, 4);
      const list = [
        { name: "a", value: buffer.slice(0, 3) },
        { name: "b", value: buffer.slice(2) },
      ];
      rejects(() => new AdamW().build(list), "overlap");
    });
  });
}

describe("Memory of one device where another works", () => {
  it("is an error, at build, at rebind and as a gradient", function () {
    if (usable[0]!.kind === "cpu") {
      console.log("two kinds of devices: skipped: there are CPU devices only");
      this.skip();
    }
    const gpu = openDevice(usable[0]!.name);
    const there = gpu.allocate("float32", 1);
    const here = openDevice("cpu").allocate("float32", 1);
    rejectsWith("DEVICE_MISMATCH", () => new AdamW({}, { device: "cpu" }).build([{ name: "w", value: there }]), "cuda");
    rejectsWith("DEVICE_MISMATCH", () => new AdamW({}, { device: "cuda" }).build([{ name: "w", value: here }]), "cuda");
    const optimizer = new AdamW().build([{ name: "w", value: there }]);
    rejectsWith("DEVICE_MISMATCH", () => optimizer.apply([here]), "cuda");
    rejectsWith("DEVICE_MISMATCH", () => optimizer.rebind([{ name: "w", value: here }]), "cuda");
    optimizer.apply([Float32Array.of(1)]);
    expect(optimizer.iterations).to.equal(1);
    const both = new AdamW().build(["a", "b"].map((name) => ({ name, value: gpu.allocate("float32", 1) })));
    const rebinding = [
      { name: "a", value: gpu.allocate("float32", 1) },
      { name: "b", gradient: here },
    ];
    const before = both.parameters;
    rejectsWith("DEVICE_MISMATCH", () => both.rebind(rebinding), "the gradient of b");
    expect(both.parameters.map(({ value }) => value)).to.have.ordered.members(before.map(({ value }) => value));
  });
});
