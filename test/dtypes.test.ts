import { expect } from "chai";
import { dtypeNames, dtypes } from "../lib/dtypes.js";
import {
  AdamW,
  DeviceBuffer,
  type DType,
  devices,
  type HostArray,
  openDevice,
  type TensorMemory,
} from "../lib/index.js";
import { dtypeOf } from "../lib/memory.js";
import { type Layout, native } from "../lib/native.js";
import { dtypeOf as storedDtype } from "../lib/state/dtypes.js";
import { unit } from "./inputs.js";
import { rejectsWith } from "./rejects.js";
import { temporaryFolder } from "./temporary.js";

const lengths = [1, 3, 16, 33, 16_389];

/** The upper bytes of floats in [−1, 1), which are finite in every type with a sign and an exponent above. */
function elements(dtype: DType, length: number, seed: number): HostArray {
  const floats = new Uint8Array(Float32Array.from({ length }, (_, i) => unit(seed, i)).buffer);
  const { array, bytes } = dtypes[dtype];
  const kept = floats.filter((_, i) => i % 4 >= 4 - bytes);
  return new array(kept.buffer);
}

const hexOfArray = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength).toString("hex");

/** Where an optimizer works, and where the memory is that it works on. */
interface Setup {
  readonly device: string;
  readonly offload?: "cpu";
  readonly buffers?: boolean;
}

/** Every device with arrays of the host and with buffers of its own; a GPU also with its state offloaded. */
function setups(): Setup[] {
  return devices()
    .filter(({ available }) => available)
    .flatMap(({ name: device, kind }) => [
      { device },
      { device, buffers: true },
      ...(kind === "cuda" ? [{ device, buffers: true, offload: "cpu" as const }] : []),
    ]);
}

/** What steps, averages and a checkpoint in between leave, bit for bit. */
async function train({ parameter, gradient, state }: Layout, setup: Setup, path: string): Promise<string[]> {
  const { buffers, ...runtime } = setup;
  const place = (values: HostArray): TensorMemory =>
    buffers ? openDevice(setup.device).allocate(dtypeOf(values), values.length).write(values) : values;
  const hexOf = (memory: TensorMemory) => hexOfArray(memory instanceof DeviceBuffer ? memory.read() : memory);
  const parameters = lengths.map((length, i) => ({
    name: `p${i}`,
    value: place(elements(parameter, length, i)),
    gradient: place(elements(gradient, length, 100 + i)),
  }));
  const make = (values = parameters) =>
    new AdamW({ useEma: true, amsgrad: true, globalClipnorm: 1, learningRate: 0.1 }, runtime).build(values);
  const before = make();
  for (let step = 0; step < 2; step += 1) before.step();
  await before.save(path, { parameters: true });
  before.step();

  const copies = parameters.map(({ value, ...rest }) => ({
    ...rest,
    value: place(elements(parameter, value.length, 7)),
  }));
  const optimizer = make(copies);
  await optimizer.load(path);
  optimizer.step();
  optimizer.synchronize();
  const seen: string[] = [];
  const see = () => seen.push(...copies.map(({ value }) => hexOf(value)));
  see();
  before.synchronize();
  expect(seen).to.deep.equal(parameters.map(({ value }) => hexOf(value)));
  seen.push(...optimizer.variables.map(({ value }) => hexOfArray(value)));
  if (parameter === state) {
    optimizer.swapEma();
    see();
    optimizer.restoreEma();
  } else {
    rejectsWith("INVALID_ARGUMENT", () => optimizer.swapEma(), parameter, state);
  }
  see();
  optimizer.finalizeVariableValues();
  see();
  return seen;
}

describe("dtypes", () => {
  const checkpoint = temporaryFolder()("state");

  it("are those that the addon was compiled for", () => {
    const compiled = native.layouts.flatMap(({ parameter, gradient, state }) => [parameter, gradient, state]);
    expect([...new Set(compiled)].sort()).to.deep.equal([...dtypeNames].sort());
    const layouts = native.layouts.map((layout) => Object.values(layout).join());
    expect(new Set(layouts).size).to.equal(layouts.length);
  });

  it("are each held by an array of their own, which tells them apart, and as wide in files", () => {
    const arrays = dtypeNames.map((name) => dtypes[name].array);
    expect(new Set<unknown>(arrays).size).to.equal(arrays.length);
    for (const name of dtypeNames) {
      const { bytes, array, stored, typestr } = dtypes[name];
      expect(array.BYTES_PER_ELEMENT, name).to.equal(bytes);
      expect(storedDtype(stored)?.bytes, name).to.equal(bytes);
      expect(typestr.slice(2), name).to.equal(`${bytes}`);
    }
  });

  for (const layout of native.layouts) {
    const { parameter, gradient, state } = layout;
    it(`${parameter} with gradients of ${gradient} and state of ${state} return the same bits on every CPU and GPU`, async () => {
      const expected = await train(layout, { device: "cpu:scalar" }, checkpoint);
      for (const setup of setups()) {
        const actual = await train(layout, setup, checkpoint);
        expect(actual, JSON.stringify(setup)).to.deep.equal(expected);
      }
    });

    it(`${parameter} with gradients of ${gradient} and state of ${state} take what a plan says`, () => {
      const shape = [3, 5];
      const plan = AdamW.plan({}, [{ name: "a", shape, dtype: parameter }]);
      const [first] = native.layouts.filter((other) => other.parameter === parameter);
      expect(plan.values).to.equal(15 * dtypes[parameter].bytes);
      expect(plan.gradients).to.equal(15 * dtypes[first!.gradient].bytes);
      expect(plan.state).to.equal(2 * 15 * dtypes[first!.state].bytes);
    });
  }

  for (const dtype of dtypeNames) {
    it(`${dtype} fills, copies and crosses buffers of a device`, () => {
      const device = openDevice("cpu");
      const values = elements(dtype, 7, 1);
      const host = device.allocateHost(7, dtype);
      expect(host).to.be.instanceOf(dtypes[dtype].array).and.have.length(7);
      host.set(values);
      const buffer = device.allocate(dtype, 7).write(host);
      expect(hexOfArray(device.allocate(dtype, 7).copyFrom(buffer).read())).to.equal(hexOfArray(values));
      expect(buffer.byteLength).to.equal(7 * dtypes[dtype].bytes);
      expect([...buffer.slice(2, 5).fill(3).read()]).to.deep.equal([3, 3, 3]);
      expect(hexOfArray(buffer.slice(5).read())).to.equal(hexOfArray(values.subarray(5)));
      rejectsWith("INVALID_ARGUMENT", () => buffer.write(new Float64Array(1) as never), dtypes[dtype].array.name);
    });
  }

  it("that do not exist are errors that say which do", () => {
    const dtype = "float128" as DType;
    const plan = () => AdamW.plan({}, [{ name: "a", shape: [1], dtype }]);
    rejectsWith("INVALID_ARGUMENT", plan, "parameters[0].dtype", "float32");
    rejectsWith("INVALID_ARGUMENT", () => openDevice("cpu").allocateHost(1, dtype), "dtype", "float32");
  });
});
