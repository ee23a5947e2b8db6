/** Steps on a GPU, which are issued and not waited for: they must be the CPU's steps, one after the other. */

import { inspect } from "node:util";
import { expect } from "chai";
import {
  AdamW,
  type AdamWOptions,
  type DeviceBuffer,
  devices,
  LossScaleOptimizer,
  openDevice,
  schedules,
} from "../lib/index.js";
import { rejects, rejectsLater, rejectsWith } from "./rejects.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const length = 1009;
const values = (seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed * 1000 + i));
const names = ["a", "b/c", "d"];

type Wrap = (optimizer: AdamW) => AdamW | LossScaleOptimizer;
const plain: Wrap = (optimizer) => optimizer;
const scaled: Wrap = (optimizer) =>
  new LossScaleOptimizer(optimizer, { initialScale: 4, dynamicGrowthSteps: 3, maximumScale: 16 });

/** Gradients of a step: now and then one is missing, or holds what is not finite. */
function gradientsOf(step: number): (Float32Array | null)[] {
  return names.map((_, i) => {
    if ((step + i) % 5 === 0) return null;
    const gradient = values(10 + step + i);
    if (step % 7 === 3 && i === 1) gradient[step] = step % 2 === 0 ? Number.NaN : Number.POSITIVE_INFINITY;
    return gradient;
  });
}

/** What `steps` steps leave, on the CPU, and on the GPU in its buffers with nobody waiting in between. */
function both(options: AdamWOptions, steps: number, wrap: Wrap = plain, change?: (optimizer: AdamW) => void) {
  const initial = names.map((_, i) => values(i));
  const make = (runtime: ConstructorParameters<typeof AdamW>[1], list: (Float32Array | DeviceBuffer)[]) => {
    const inner = new AdamW(options, runtime);
    const optimizer = wrap(inner);
    optimizer.build(names.map((name, i) => ({ name, value: list[i]! })));
    return { inner, optimizer };
  };
  const host = initial.map((array) => array.slice());
  const cpu = make({ device: "cpu:scalar" }, host);
  const device = openDevice("cuda");
  const place = (array: Float32Array) => device.allocate("float32", length).write(array);
  const there = initial.map(place);
  const gpu = make({}, there);
  for (let step = 0; step < steps; step += 1) {
    change?.(cpu.inner);
    cpu.optimizer.apply(gradientsOf(step));
    change?.(gpu.inner);
    expect(gpu.optimizer.apply(gradientsOf(step).map((array) => array && place(array)))).to.equal(undefined);
  }
  gpu.optimizer.synchronize();
  expect(gpu.optimizer.report).to.deep.equal(cpu.optimizer.report);
  expect(there.map((buffer) => [...buffer.read()])).to.deep.equal(host.map((array) => [...array]));
  for (const [i, { path, value }] of cpu.optimizer.variables.entries()) {
    expect([...gpu.optimizer.variables[i]!.value], path).to.deep.equal([...value]);
  }
  return { cpu: cpu.optimizer, gpu: gpu.optimizer };
}

describe("Steps on a GPU that nobody waits for", () => {
  before(function () {
    if (cuda.available) return;
    console.log(`${cuda.name}: skipped: ${cuda.reason}`);
    this.skip();
  });

  const cosine = () => new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 20, alpha: 0.1 });

  it("are the CPU's, more of them than can be under way", () => {
    both({ learningRate: cosine(), useEma: true }, 80);
  });

  it("follow schedules whichever of them are skipped", () => {
    both({ learningRate: cosine(), weightDecay: cosine(), nonFinite: "skip", reportNorms: true }, 40);
  });

  it("are counted as they turn out, with accumulation and a loss scale that adapts", () => {
    const { cpu, gpu } = both({ learningRate: cosine(), gradientAccumulationSteps: 3, amsgrad: true }, 50, scaled);
    expect(cpu.report!.skippedSteps).to.be.above(2);
    const there = gpu.lossScale as DeviceBuffer;
    expect([...there.read()]).to.deep.equal([cpu.lossScale]);
    expect(gpu.scaleLoss(0.5)).to.equal(cpu.scaleLoss(0.5));
  });

  it("take a learning rate that is set in between, or comes from a function once for each update", () => {
    let at = 0;
    const set = (optimizer: AdamW) => {
      at += 1;
      optimizer.learningRate = 0.1 / at;
    };
    const restart = () => {
      at = 0;
    };
    restart();
    both({ nonFinite: "skip" }, 20, plain, (optimizer) => {
      if (optimizer.device.startsWith("cuda")) at -= 1;
      set(optimizer);
    });
    const calls = { cpu: 0, gpu: 0 };
    let who: keyof typeof calls = "cpu";
    const learningRate = () => {
      calls[who] += 1;
      return 0.1 / calls[who];
    };
    both({ learningRate, gradientAccumulationSteps: 2, nonFinite: "skip" }, 20, plain, (optimizer) => {
      who = optimizer.device.startsWith("cuda") ? "gpu" : "cpu";
    });
    expect(calls.gpu).to.equal(calls.cpu);
  });

  it("scale gradients by a factor of their own", () => {
    const device = openDevice("cuda");
    const list = [values(1), values(1)];
    const there = device.allocate("float32", length).write(list[1]!);
    const cpu = new AdamW({ globalClipnorm: 1 }, { device: "cpu" }).build([{ name: "w", value: list[0]! }]);
    const gpu = new AdamW({ globalClipnorm: 1 }).build([{ name: "w", value: there }]);
    for (const gradientScale of [1, 0.5, 0.5, 1e-3, 1]) {
      cpu.apply([values(2)], { gradientScale });
      gpu.apply([device.allocate("float32", length).write(values(2))], { gradientScale });
    }
    expect([...there.read()]).to.deep.equal([...list[0]!]);
  });

  it("end with an error at the next wait when gradients are not finite and that is an error", async () => {
    const device = openDevice("cuda");
    const place = (...numbers: number[]) => device.allocate("float32", 2).write(Float32Array.from(numbers));
    const value = place(1, 2);
    const optimizer = new AdamW({ nonFinite: "throw", zeroGradients: true }).build([{ name: "layer/w", value }]);
    const bad = place(1, Number.NaN);
    optimizer.apply([bad]);
    rejectsWith("NON_FINITE", () => optimizer.iterations, "layer/w");
    expect(optimizer.iterations).to.equal(0);
    expect([...bad.read(), ...value.read()]).to.deep.equal([1, Number.NaN, 1, 2]);
    optimizer.apply([bad]);
    optimizer.apply([place(1, 1)]);
    optimizer.apply([bad]);
    rejectsWith("NON_FINITE", () => optimizer.synchronize());
    expect([optimizer.iterations, optimizer.report!.skippedSteps]).to.deep.equal([1, 0]);
    await rejectsLater("NON_FINITE", optimizer.applyAsync([bad]), "layer/w");
    expect((await optimizer.applyAsync([place(1, 1)])).iteration).to.equal(2);
  });

  it("can be awaited, and keep everybody else out until then", async () => {
    const device = openDevice("cuda");
    const value = device.allocate("float32", 2);
    const gradient = device.allocate("float32", 2).fill(1);
    const optimizer = new AdamW({ reportNorms: true }).build([{ name: "w", value, gradient }]);
    optimizer.step();
    const step = optimizer.stepAsync();
    for (const act of [() => optimizer.step(), () => optimizer.iterations, () => optimizer.dispose()]) {
      rejectsWith("BUSY", act);
    }
    expect(optimizer.report === null || optimizer.report.iteration === 1).to.equal(true);
    const report = await step;
    expect([report.iteration, [...report.parameterNorms!]]).to.deep.equal([2, [Math.SQRT2]]);
  });

  it("bring arrays of the host up to date when they are waited for", () => {
    const host = values(1);
    const expected = host.slice();
    const gpu = new AdamW({ zeroGradients: true }, { device: "cuda" }).build([{ name: "w", value: host }]);
    const cpu = new AdamW({}, { device: "cpu" }).build([{ name: "w", value: expected }]);
    for (let step = 0; step < 5; step += 1) {
      const gradient = values(20 + step);
      gpu.apply([gradient]);
      expect(gradient.every((x) => x === 0)).to.equal(true); // taken, and zeroed
      cpu.apply([values(20 + step)]);
    }
    expect([...host]).to.deep.equal([...values(1)]);
    expect(gpu.iterations).to.equal(5);
    expect([...host]).to.deep.equal([...expected]);
    gpu.apply([values(30)]);
    cpu.apply([values(30)]);
    gpu.dispose();
    expect([...host]).to.deep.equal([...expected]);
  });

  it("zero arrays of gradients, but those that end in an error, before anybody can write into them", async () => {
    const optimizer = new AdamW({ nonFinite: "throw", zeroGradients: true }, { device: "cuda" });
    optimizer.build([{ name: "w", value: values(1) }]);
    const zeros = [...new Float32Array(length)];
    const bad = values(3).fill(Number.NaN, 0, 1);
    const kept = [...bad];
    for (const gradient of [values(2), bad, values(4)]) {
      const left = gradient === bad ? kept : zeros;
      optimizer.apply([gradient]);
      expect([...gradient]).to.deep.equal(left);
    }
    rejectsWith("NON_FINITE", () => optimizer.synchronize());
    const good = values(5);
    await optimizer.applyAsync([good]);
    await rejectsLater("NON_FINITE", optimizer.applyAsync([bad]));
    expect([[...good], [...bad]]).to.deep.equal([zeros, kept]);
    expect(optimizer.iterations).to.equal(3);
  });

  it("lose nothing but what a lost array would have been given", () => {
    const [kept, lost] = [values(1), values(2)];
    const optimizer = new AdamW({}, { device: "cuda" });
    optimizer.build([
      { name: "kept", value: kept },
      { name: "lost", value: lost },
    ]);
    optimizer.apply([values(3), values(4)]);
    structuredClone(lost.buffer, { transfer: [lost.buffer] });
    rejectsWith("DETACHED", () => optimizer.synchronize(), "lost");
    expect([...kept]).not.to.deep.equal([...values(1)]);
    optimizer.rebind([{ name: "lost", value: values(2) }]);
    optimizer.apply([values(3), values(4)]);
    expect(optimizer.iterations).to.equal(2);
  });

  it("are shown as far as they are known to be done, and what went wrong in them stays for the next wait", () => {
    const value = values(1);
    const optimizer = new AdamW({ nonFinite: "throw" }, { device: "cuda" }).build([{ name: "a", value }]);
    for (let step = 0; step < 3; step += 1) optimizer.apply([values(2)]);
    expect(Number(/iterations: (\d+)/.exec(inspect(optimizer))![1])).to.be.within(0, 3);
    optimizer.synchronize();
    expect(inspect(optimizer)).to.include(`device: '${optimizer.device}'`).and.to.include("iterations: 3,");
    optimizer.apply([values(2).fill(Number.NaN)]);
    expect(inspect(optimizer)).to.include("iterations: 3,");
    rejectsWith("NON_FINITE", () => optimizer.synchronize());
    const restored = new AdamW({}, { device: "cuda" }).build([{ name: "a", value: values(3) }]);
    restored.setWeights(optimizer.variables);
    expect(inspect(restored)).to.include("iterations: 3,");
  });

  it("are finished before what they work on is freed", () => {
    const device = openDevice("cuda");
    const optimizer = new AdamW().build([{ name: "w", value: device.allocate("float32", length) }]);
    for (let step = 0; step < 10; step += 1) {
      const gradient = device.allocate("float32", length).fill(step);
      optimizer.apply([gradient]);
      gradient.dispose();
    }
    (optimizer.parameters[0]!.value as DeviceBuffer).dispose();
    optimizer.dispose();
  });

  it("are refused where their memory is another device's", () => {
    rejects(() => new AdamW({}, { device: "cuda", stream: "1" as never }), "stream");
    const optimizer = new AdamW({}, { device: "cuda" }).build([{ name: "w", value: values(1) }]);
    rejectsWith("DEVICE_MISMATCH", () => optimizer.apply([openDevice("cpu").allocate("float32", length)]));
  });
});
