/**
 * Ten thousand steps of noisy gradients beside the same steps in float64. Single elements wander with the roundings of
 * fp32; what must not happen is drift, which a biased form of an average or of the decay brings: so the signed mean
 * over the elements is what is held to a bound.
 */

import { expect } from "chai";
import { AdamW } from "../lib/index.js";
import { noise, unit } from "./inputs.js";

const elements = 512;
const steps = 10_000;
const beta1 = 0.9;
const beta2 = 0.9999;
const emaMomentum = 0.9999;

interface Slots {
  p: ArrayLike<number>;
  v: ArrayLike<number>;
  ema: ArrayLike<number>;
}

/** Each element has its own magnitude of gradient, over two decades. */
const magnitudes = Float32Array.from({ length: elements }, (_, i) => 2 ** (-10 + (i % 8)));
const initial = Float32Array.from({ length: elements }, (_, i) => 1.25 + 0.75 * unit(9, i));
/** Noise is drawn from here at a random start for each step, since drawing anew is what would take the time. */
const pool = Float32Array.from({ length: 1 << 20 }, (_, i) => noise(5, i));

function gradientOf(step: number, to: Float32Array): Float32Array {
  const start = Math.floor((unit(7, step) + 1) * (pool.length - elements) * 0.5);
  for (let i = 0; i < elements; i += 1) to[i] = pool[start + i]! * magnitudes[i]!;
  return to;
}

/** The same options in float64, the averages in their usual form. */
function exactRun(rate: number, decay: number): Slots {
  const p = Float64Array.from(initial);
  const [m, v, ema] = [new Float64Array(elements), new Float64Array(elements), new Float64Array(elements)];
  const gradient = new Float32Array(elements);
  for (let t = 1; t <= steps; t += 1) {
    gradientOf(t, gradient);
    const step = (rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
    const momentum = t === 1 ? 0 : emaMomentum;
    for (let i = 0; i < elements; i += 1) {
      const g = gradient[i]!;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      p[i] = p[i]! - rate * decay * p[i]! - (step * m[i]!) / (Math.sqrt(v[i]!) + 1e-7);
      ema[i] = momentum * ema[i]! + (1 - momentum) * p[i]!;
    }
  }
  return { p, v, ema };
}

function ourRun(rate: number, decay: number): Slots {
  const p = initial.slice();
  const options = { learningRate: rate, weightDecay: decay, beta1, beta2, useEma: true, emaMomentum };
  using optimizer = new AdamW(options, { threads: 1 });
  const gradient = new Float32Array(elements);
  optimizer.build([{ name: "p", value: p, gradient }]);
  for (let t = 1; t <= steps; t += 1) {
    gradientOf(t, gradient);
    optimizer.step();
  }
  const slot = (name: string) => optimizer.variables.find(({ path }) => path.endsWith(name))!.value;
  return { p, v: slot("_velocity"), ema: slot("_average") };
}

/** Mean relative errors: signed, which shows drift, and of their sizes, which shows roundings. */
function meanErrors(actual: ArrayLike<number>, exact: ArrayLike<number>): { signed: number; size: number } {
  const errors = Array.from(exact, (x, i) => (actual[i]! - x) / x);
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  return { signed: mean(errors), size: mean(errors.map(Math.abs)) };
}

const meanDifference = (a: Slots, b: Slots) =>
  Array.from(a.p, (x, i) => x - b.p[i]!).reduce((x, y) => x + y) / elements;

describe("Over 10,000 steps of noisy gradients", function () {
  this.timeout(120_000);
  const rate = 1e-4;
  const decay = 1e-3;
  let ours: Slots;
  let exact: Slots;

  before(() => {
    ours = ourRun(rate, decay);
    exact = exactRun(rate, decay);
  });

  it("the effective decay is right within 0.1 % at learning rate × decay = 1e-7, less than an ulp a step", () => {
    const effect = meanDifference(ours, ourRun(rate, 0)) / meanDifference(exact, exactRun(rate, 0));
    expect(effect).to.be.closeTo(1, 1e-3);
  });

  it("v (beta2 0.9999) does not drift: mean relative error below 1e-6, mean of its size below 2e-6", () => {
    const { signed, size } = meanErrors(ours.v, exact.v);
    expect(Math.abs(signed)).to.be.below(1e-6);
    expect(size).to.be.below(2e-6);
  });

  it("the moving average (0.9999) does not drift: mean relative error below 1e-6, mean of its size below 1e-5", () => {
    const { signed, size } = meanErrors(ours.ema, exact.ema);
    expect(Math.abs(signed)).to.be.below(1e-6);
    expect(size).to.be.below(1e-5);
  });
});
