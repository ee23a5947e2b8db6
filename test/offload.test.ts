import { expect } from "chai";
import {
  AdamW,
  type AdamWOptions,
  DeviceBuffer,
  deserialize,
  devices,
  LossScaleOptimizer,
  openDevice,
  type StepReport,
  serialize,
  type TensorMemory,
} from "../lib/index.js";
import { fill, firstDifference } from "./inputs.js";
import { rejects, rejectsWith } from "./rejects.js";
import { temporaryFolder } from "./temporary.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const offloaded = { device: "cuda", offload: "cpu" } as const;

describe("The option offload", () => {
  const list = () => [{ name: "w", value: Float32Array.of(1, 2) }];

  it('is "cpu" or null', () => {
    expect(new AdamW({}, { offload: null }).build(list()).device).to.match(/^cpu:/);
    for (const wrong of ["cuda", "cpu:avx2", "disk", "", true, 0]) {
      rejects(() => new AdamW({}, { device: "cuda", offload: wrong as "cpu" }), "offload", '"cpu"');
    }
  });

  it("needs a GPU", () => {
    for (const device of ["cpu", "cpu:scalar"]) {
      rejects(() => new AdamW({}, { device, offload: "cpu" }), 'offload: "cpu"', '"cuda"', `"${device}"`);
    }
    const optimizer = new AdamW({}, { offload: "cpu" });
    rejects(() => optimizer.build(list()), 'offload: "cpu"', '"cuda"');
    const buffer = openDevice("cpu").allocate("float32", 2);
    rejects(() => optimizer.build([{ name: "w", value: buffer }]), 'offload: "cpu"', "cpu:");
    expect(optimizer.built).to.equal(false);
  });

  it("goes with the others through a configuration", () => {
    const optimizers = [new AdamW(), new LossScaleOptimizer(new AdamW())];
    for (const optimizer of optimizers) {
      rejects(() => deserialize(serialize(optimizer), { device: "cpu", offload: "cpu" }), "offload");
    }
    rejects(() => AdamW.fromConfig(new AdamW().getConfig(), { device: "cpu", offload: "cpu" }), "offload");
  });

  if (!cuda.available) {
    it("says why cuda is missing", () => {
      rejectsWith("NO_DEVICE", () => new AdamW({}, offloaded).build(list()), cuda.reason);
    });
  }
});

describe("A GPU whose state is offloaded", () => {
  before(function () {
    if (!cuda.available) {
      console.log(`${cuda.name}: skipped: ${cuda.reason}`);
      this.skip();
    }
  });

  const there = (values: Float32Array) => openDevice("cuda").allocate("float32", values.length).write(values);
  const valuesOf = (memory: TensorMemory<"float32">) =>
    memory instanceof DeviceBuffer ? memory.read() : memory.slice();
  const same = (actual: TensorMemory<"float32">, expected: TensorMemory<"float32">) =>
    expect(firstDifference(valuesOf(actual), valuesOf(expected))).to.equal(-1);

  it("is found by its buffers, keeps its name, and reports its steps at once", () => {
    const value = there(Float32Array.of(1, 2));
    const optimizer = new AdamW({ globalClipnorm: 1 }, { offload: "cpu" }).build([{ name: "w", value }]);
    expect(optimizer.device).to.equal("cuda:0");
    const report: StepReport | undefined = optimizer.apply([there(Float32Array.of(3, 4))]);
    expect(report?.globalNorm).to.equal(5);
    expect(optimizer.iterations).to.equal(1);
    optimizer.synchronize();
    const alien = openDevice("cpu").allocate("float32", 2);
    rejectsWith("DEVICE_MISMATCH", () => optimizer.apply([alien]), "cuda:0");
  });

  it("returns the CPU's bits where parameters need several windows", () => {
    const lengths = [3, 5_000_003, 17, 0, 70_001];
    const options: AdamWOptions = { globalClipnorm: 1, useEma: true, zeroGradients: true };
    const train = (device: string, place: (values: Float32Array) => TensorMemory<"float32">) => {
      const parameters = lengths.map((length, i) => ({
        name: `p${i}`,
        value: place(fill(length, i, [])),
        gradient: place(fill(length, 100 + i, [])),
      }));
      const optimizer = new AdamW(options, { device, offload: device === "cuda" ? "cpu" : null }).build(parameters);
      const reports = [optimizer.step()];
      for (const [i, { gradient }] of parameters.entries()) {
        const values = fill(lengths[i]!, 200 + i, []);
        if (gradient instanceof DeviceBuffer) gradient.write(values);
        else gradient.set(values);
      }
      reports.push(optimizer.step());
      const averages = optimizer.variables.filter(({ path }) => path.endsWith("average")).map(({ value }) => value);
      optimizer.dispose();
      return { reports, parameters, averages };
    };
    const expected = train("cpu", (values) => values);
    const actual = train("cuda", there);
    expect(actual.reports).to.deep.equal(expected.reports);
    for (const [i, { value, gradient }] of actual.parameters.entries()) {
      same(value, expected.parameters[i]!.value);
      same(gradient, expected.parameters[i]!.gradient);
      expect(firstDifference(actual.averages[i]!, expected.averages[i]!)).to.equal(-1);
    }
  }).timeout(120_000);

  it("trades parameters and averages, and goes on with other memory of either kind", () => {
    const [a, b] = [fill(1000, 1, []), fill(1000, 2, [])];
    const run = (device: string, places: ((values: Float32Array) => TensorMemory<"float32">)[]) => {
      let value = places[0]!(a.slice());
      const optimizer = new AdamW({ useEma: true }, { device, offload: device === "cuda" ? "cpu" : null });
      optimizer.build([{ name: "w", value }]);
      const seen: Float32Array[] = [];
      for (const place of places) {
        value = place(valuesOf(value));
        optimizer.rebind([{ name: "w", value }]);
        optimizer.apply([place(b.slice())]);
        optimizer.apply([place(a.slice())]);
        seen.push(valuesOf(value));
        optimizer.swapEma();
        seen.push(valuesOf(value));
        optimizer.restoreEma();
        seen.push(valuesOf(value));
      }
      optimizer.finalizeVariableValues();
      return [...seen, valuesOf(value)];
    };
    const here = (values: Float32Array) => values;
    const expected = run("cpu", [here, here, here]);
    for (const [i, values] of run("cuda", [there, here, there]).entries()) same(values, expected[i]!);
  });

  it("waits for the streams of its buffers and its own, and is done when a graph of its step is launched", () => {
    const device = openDevice("cuda");
    const [first, second] = [device.createStream(), device.createStream()];
    const source = there(fill(100_000, 3, []));
    const value = device.allocate("float32", 100_000, { stream: first });
    const gradient = device.allocate("float32", 100_000, { stream: second });
    const stream = device.createStream();
    const optimizer = new AdamW({}, { stream, offload: "cpu" }).build([{ name: "w", value, gradient }]);
    const expected = fill(100_000, 3, []);
    const other = new AdamW().build([{ name: "w", value: expected, gradient: fill(100_000, 3, []) }]);
    value.copyFrom(source);
    gradient.copyFrom(source);
    optimizer.step();
    other.step();
    same(value, expected);
    const graph = stream.capture(() => void optimizer.step());
    expect(optimizer.iterations).to.equal(1);
    for (let launch = 0; launch < 2; launch += 1) {
      graph.launch();
      other.step();
    }
    expect(optimizer.iterations).to.equal(3);
    same(value, expected);
    graph.dispose();
  });

  it("steps off the event loop, and refuses to be used meanwhile", async () => {
    const value = there(Float32Array.of(1, 2, 3));
    const optimizer = new AdamW({}, offloaded).build([{ name: "w", value }]);
    const gradient = there(Float32Array.of(1, 2, 3));
    const step = optimizer.applyAsync([gradient]);
    expect(() => optimizer.apply([gradient])).to.throw("has not finished");
    expect((await step).iteration).to.equal(1);
  });

  it("throws for gradients that are not finite, and leaves them", () => {
    const value = there(Float32Array.of(1, 2));
    const gradient = there(Float32Array.of(1, Number.NaN));
    const optimizer = new AdamW({ nonFinite: "throw", zeroGradients: true }, offloaded);
    optimizer.build([{ name: "w", value, gradient }]);
    rejectsWith("NON_FINITE", () => optimizer.step(), "w");
    expect([...gradient.read()]).to.deep.equal([1, Number.NaN]);
    expect([...value.read()]).to.deep.equal([1, 2]);
  });

  it("goes on from checkpoints of other devices, and they from its, with the same bits", async () => {
    const path = temporaryFolder()("checkpoint");
    const gradient = fill(40_000, 7, []);
    const train = async (runtimes: readonly { device: string; offload?: "cpu" }[]) => {
      let values = fill(40_000, 8, []);
      for (const [i, runtime] of runtimes.entries()) {
        const value = runtime.device === "cuda" ? there(values) : values.slice();
        const optimizer = new AdamW({ useEma: true, amsgrad: true, globalClipnorm: 1 }, runtime);
        optimizer.build([{ name: "w", value }]);
        if (i > 0) await optimizer.load(path);
        for (let step = 0; step < 2; step += 1) optimizer.apply([gradient]);
        await optimizer.save(path, { parameters: true });
        values = i + 1 < runtimes.length ? new Float32Array(values.length) : valuesOf(value);
        optimizer.dispose();
      }
      return values;
    };
    const [cpu, gpu] = [{ device: "cpu" }, { device: "cuda" }];
    const expected = await train([cpu, cpu, cpu, cpu]);
    same(await train([cpu, offloaded, gpu, offloaded]), expected);
    same(await train([offloaded, gpu, offloaded, cpu]), expected);
  });
});
