/** The files that the real Keras wrote (record.py), and the optimizers it wrote them from. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { ByteFile } from "../../lib/state/byte-file.js";
import { readZip } from "../../lib/state/zip-reader.js";
import { writeZip } from "../../lib/state/zip-writer.js";

interface Expected {
  readonly saved: readonly number[][];
  readonly state: readonly number[][];
  readonly end: readonly number[][];
}

export const fixture = (name: string) => fileURLToPath(new URL(`keras/${name}`, import.meta.url));
export const { names, cases } = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as {
  names: string[];
  cases: Record<string, Expected>;
};
export const shapes = [[3, 4], [4], [4, 2], [2]];

/** The optimizers of record.py. */
const optimizers: Readonly<Record<string, () => AdamW | LossScaleOptimizer>> = {
  plain: () => new AdamW({ learningRate: 0.01 }),
  everything: () =>
    new AdamW({ learningRate: 0.01, useEma: true, amsgrad: true, gradientAccumulationSteps: 2, beta1: 0.8 }),
  schedule: () => {
    const initialLearningRate = 0.05;
    const learningRate = new schedules.ExponentialDecay({ initialLearningRate, decaySteps: 3, decayRate: 0.5 });
    return new AdamW({ learningRate, globalClipnorm: 0.5 });
  },
  scaled: () =>
    new LossScaleOptimizer(new AdamW({ learningRate: 0.01, amsgrad: true }), {
      initialScale: 64,
      dynamicGrowthSteps: 3,
    }),
  adam: () => new AdamW({ learningRate: 0.01, weightDecay: 0 }),
};

/** With the variables of those, but for a loss scaler's, and other options. */
const others: typeof optimizers = {
  torch: () => new AdamW({ learningRate: 0.01, formula: "torch" }),
  beyond: () =>
    new AdamW({
      learningRate: 0.01,
      maximize: true,
      zeroGradients: true,
      groups: [{ match: "*/bias", learningRateMultiplier: 2 }],
    }),
  excluding: () => new AdamW({ learningRate: 0.01, excludeFromWeightDecay: { names: ["bias"] } }),
  excludingMore: () => new AdamW({ learningRate: 0.01, weightDecay: 0.1, excludeFromWeightDecay: { names: ["bias"] } }),
  grouped: () => new AdamW({ learningRate: 0.01, groups: [{ match: "**/bias", weightDecay: 0 }] }),
  doubled: () => new AdamW({ groups: [{ match: "**", learningRateMultiplier: 2 }] }),
  sameGroups: () => new AdamW({ learningRate: 0.01, beta1: 0.5, groups: [{ match: "**", beta1: 0.9 }] }),
  beyondScaled: () => new LossScaleOptimizer(new AdamW({ learningRate: 0.01, amsgrad: true }), { minimumScale: 1 }),
  plainScaled: () => new LossScaleOptimizer(new AdamW({ learningRate: 0.01 }), { initialScale: 16 }),
  scaledPlain: () => new AdamW({ learningRate: 0.01, amsgrad: true }),
};

function wave(i: number, seed: number): Float32Array {
  const length = (shapes[i] as number[]).reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, (_, k) => (((k * 7919 + seed * 104729 + 13) % 2003) - 1001) / 1024);
}

export function make(name: string, initial = shapes.map((_, i) => [...wave(i, i)]), parameterNames = names) {
  const optimizer = ({ ...optimizers, ...others }[name] as () => AdamW)();
  const values = initial.map((value) => Float32Array.from(value));
  optimizer.build(
    parameterNames.map((path, i) => ({ name: path, shape: shapes[i] as number[], value: values[i] as Float32Array })),
  );
  const train = (from: number, to: number) => {
    for (let step = from; step < to; step += 1) optimizer.apply(shapes.map((_, i) => wave(i, step * 10 + i)));
  };
  return { optimizer, values, train };
}

export const state = ({ variables }: { variables: AdamW["variables"] }) => variables.map(({ value }) => [...value]);

export function close(actual: readonly (readonly number[] | Float32Array)[], expected: readonly number[][]): void {
  for (const [i, list] of expected.entries()) {
    for (const [k, b] of list.entries()) {
      const a = actual[i]?.[k] as number;
      expect(Math.abs(a - b), `${i}, ${k}: ${a}, expected ${b}`).to.be.at.most(1e-5 * Math.abs(b) + 1e-7);
    }
  }
}

/** A file of Keras' whose configuration has another optimizer. */
export async function writeWithOptimizer(
  path: string,
  optimizer: (given: Record<string, unknown>) => unknown,
  name = "plain.keras",
): Promise<string> {
  const source = await ByteFile.open(fixture(name));
  const contents = await Promise.all(
    [...(await readZip(source)).values()].map(async ({ name, size, bytes }) => {
      const data = await bytes(size);
      if (name !== "config.json") return { name, data };
      const config = JSON.parse(data.toString());
      config.compile_config.optimizer = optimizer(config.compile_config.optimizer);
      return { name, data: Buffer.from(JSON.stringify(config)) };
    }),
  );
  await source.close();
  await writeZip(path, contents, {});
  return path;
}

/**
 * As compile() saves a mixed_float16 model: with the variables of the scaler, which the configuration does not name.
 */
export const writeMixed = (path: string) =>
  writeWithOptimizer(path, ({ config }) => (config as { inner_optimizer: unknown }).inner_optimizer, "scaled.keras");
