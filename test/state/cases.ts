/** Optimizers to save and to load: the option matrix, and a training that is the same in every process. */

import { createHash } from "node:crypto";
import {
  AdamW,
  type AdamWOptions,
  devices,
  LossScaleOptimizer,
  type RuntimeOptions,
  schedules,
} from "../../lib/index.js";

export type Optimizer = AdamW | LossScaleOptimizer;

export interface Case {
  readonly name: string;
  readonly options: () => AdamWOptions;
  readonly scaled?: boolean;
}

/** A function that moves with the training's own count would be no part of the state. */
function functionRate(): number {
  return 0.004;
}

export const cases: readonly Case[] = [
  { name: "plain", options: () => ({}) },
  { name: "a learning rate no float32 holds", options: () => ({ learningRate: 0.1 + 2 ** -50 }) },
  { name: "amsgrad", options: () => ({ amsgrad: true }) },
  { name: "averages", options: () => ({ useEma: true, emaOverwriteFrequency: 3 }) },
  { name: "accumulation", options: () => ({ gradientAccumulationSteps: 3 }) },
  {
    name: "averages, accumulation and amsgrad",
    options: () => ({ useEma: true, emaUpdates: "update", gradientAccumulationSteps: 2, amsgrad: true }),
  },
  { name: "PyTorch's formula", options: () => ({ formula: "torch", epsilon: 1e-8 }) },
  { name: "global clipping", options: () => ({ globalClipnorm: 0.5, maximize: true }) },
  { name: "clipping by norm", options: () => ({ clipnorm: 0.25 }) },
  {
    name: "a schedule",
    options: () => ({
      learningRate: new schedules.CosineDecay({ initialLearningRate: 0.01, decaySteps: 9, warmupSteps: 3 }),
      weightDecay: new schedules.ExponentialDecay({ initialLearningRate: 0.1, decaySteps: 2, decayRate: 0.5 }),
    }),
  },
  { name: "a function", options: () => ({ learningRate: functionRate }) },
  {
    name: "groups and exclusions",
    options: () => ({
      groups: [
        { match: "frozen", frozen: true },
        { match: /bias$/, learningRateMultiplier: 0.5, beta1: 0.8 },
      ],
      excludeFromWeightDecay: { names: ["bias"] },
    }),
  },
  { name: "skipping", options: () => ({ nonFinite: "skip", skipAboveNorm: 1e3 }) },
  { name: "a loss scale", options: () => ({ lossScaleFactor: 128 }) },
  { name: "dynamic loss scaling", options: () => ({}), scaled: true },
  { name: "dynamic loss scaling with accumulation", options: () => ({ gradientAccumulationSteps: 2 }), scaled: true },
];

export const shapes: Readonly<Record<string, readonly number[]>> = {
  "dense/kernel": [37, 53],
  "dense/bias": [53],
  "scale.exp_avg": [],
  empty: [0, 4],
  frozen: [5],
};

/** An optimizer built on fresh parameters. */
export function make(chosen: Case, runtime: RuntimeOptions = {}): { optimizer: Optimizer; values: Float32Array[] } {
  const inner = new AdamW(chosen.options(), runtime);
  const optimizer = chosen.scaled ? new LossScaleOptimizer(inner, { initialScale: 64, dynamicGrowthSteps: 3 }) : inner;
  const values = Object.values(shapes).map((shape, i) => wave(count(shape), i));
  optimizer.build(
    Object.entries(shapes).map(([name, shape], i) => ({ name, shape, value: values[i] as Float32Array })),
  );
  return { optimizer, values };
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Numbers that look like any others, the same everywhere. */
function wave(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 104729 + 13) % 2003) - 1001) / 997);
}

/** Steps `from` up to `to`; some parameters miss some gradients, and step 4 of a scaled training overflows. */
export function train({ optimizer }: { optimizer: Optimizer }, from: number, to: number): void {
  for (let step = from; step < to; step += 1) {
    const gradients = Object.values(shapes).map((shape, i) =>
      (step + i) % 4 === 1 ? null : wave(count(shape), step * 10 + i),
    );
    const overflows = step === 4 && optimizer.getConfig().non_finite !== undefined;
    if ((overflows || (step === 4 && optimizer instanceof LossScaleOptimizer)) && gradients[1]) {
      gradients[1][3] = Number.POSITIVE_INFINITY;
    }
    optimizer.apply(gradients);
  }
}

/** Every bit of the state and of the parameters. */
export function fingerprint({ optimizer, values }: { optimizer: Optimizer; values: readonly Float32Array[] }): string {
  const hash = createHash("sha256");
  for (const value of [...values, ...optimizer.variables.map(({ value }) => value)]) hash.update(bytes(value));
  const { learningRate, lossScale, iterations } = optimizer;
  const scale = typeof lossScale === "number" ? lossScale : lossScale.read()[0];
  hash.update(JSON.stringify([learningRate, scale, iterations]));
  return hash.digest("hex");
}

function bytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Every device of this machine, the CPU's first. */
export function allDevices(): string[] {
  const available = devices().filter((device) => device.available);
  return (["cpu", "cuda"] as const).flatMap((wanted) =>
    available.filter(({ kind }) => kind === wanted).map(({ name }) => name),
  );
}
