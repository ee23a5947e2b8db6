/** Recorded runs of the real Keras: test/golden/README.md says how they were made. */

import { expect } from "chai";
import { configToOptions } from "../lib/config.js";
import { AdamW, LossScaleOptimizer } from "../lib/index.js";
import { resolveOptions } from "../lib/options.js";
import { type GoldenVariable, type KerasCase, loadGolden } from "./golden/golden.js";
import { Oracle, type Slots } from "./oracle.js";
import { slotAt } from "./slots.js";
import { within, withinDouble } from "./within.js";

function makeOptimizer({ config, lossScale, exclude }: KerasCase): AdamW | LossScaleOptimizer {
  const optimizer = lossScale ? LossScaleOptimizer.fromConfig(config) : AdamW.fromConfig(config);
  const { var_names: names = [], var_list: parameters = [] } = exclude ?? {};
  if (exclude) optimizer.excludeFromWeightDecay({ names, parameters });
  return optimizer;
}

function makeOracle(golden: KerasCase, againstFp32: boolean): Oracle {
  const { config, exclude, lossScale, parameters, initial } = golden;
  const inner = lossScale ? (config.inner_optimizer as { config: unknown }).config : config;
  const { var_names: patterns = [], var_list: listed = [] } = exclude ?? {};
  const isExcluded = (name: string) =>
    listed.includes(name) || patterns.some((pattern) => new RegExp(pattern).test(name.split("/").at(-1) as string));
  return new Oracle(
    resolveOptions(configToOptions(inner)),
    parameters.map(({ name }, i) => ({ value: initial[i] as number[], setting: { excluded: isExcluded(name) } })),
    { dynamic: lossScale, againstFp32 },
  );
}

/** What fills the place of a scalar in Keras' list of variables. */
function scalars(optimizer: AdamW | LossScaleOptimizer, iteration: number): Record<string, number> {
  return {
    "adamw/iteration": iteration,
    "adamw/learning_rate": optimizer.learningRate,
    "loss_scale_optimizer/iteration": 0,
    "loss_scale_optimizer/learning_rate": 0,
    "loss_scale_optimizer/dynamic_scale": optimizer.scaleLoss(1),
  };
}

function replay(golden: KerasCase, againstFp32: boolean): void {
  const { parameters, initial, gradients, events = [], trajectory, learningRates, scales, final, finalized } = golden;
  const optimizer = makeOptimizer(golden);
  const oracle = makeOracle(golden, againstFp32);
  const values = initial.map((value) => Float32Array.from(value));
  optimizer.build(parameters.map(({ name, shape }, i) => ({ name, shape, value: values[i] as Float32Array })));

  const compare = (actual: ArrayLike<number>, recorded: number[], state: number, slot: keyof Slots, what: string) => {
    const { exact, error } = oracle.states[state]!;
    // The oracle is Keras' equal in double, which makes its errors those of this very trajectory.
    if (!againstFp32) withinDouble(exact[slot], recorded, `the oracle's ${what}`);
    // Keras' own double roundings come on top: a number near 0 is the difference of large ones.
    within(actual, recorded, (x, i) => error[slot][i]! + 1e-12 * Math.abs(x), what);
  };

  for (const [step, given] of gradients.entries()) {
    for (const { beforeStep, setLearningRate, setIterations } of events) {
      if (beforeStep !== step) continue;
      if (setLearningRate !== undefined) optimizer.learningRate = oracle.learningRate = setLearningRate;
      if (setIterations !== undefined) {
        const [iteration, ...rest] = optimizer.variables;
        optimizer.setWeights([{ ...iteration!, value: Int32Array.of(setIterations) }, ...rest.map((v) => ({ ...v }))]);
        oracle.steps = setIterations;
      }
    }
    const rateSlack = againstFp32 ? 1e-5 : 1e-14;
    within([optimizer.learningRate], [learningRates[step]!], (rate) => rateSlack * rate, `rate of step ${step}`);
    optimizer.apply(given.map((gradient) => gradient && Float32Array.from(gradient)));
    oracle.step(given);
    if (scales) expect(optimizer.lossScale, `scale after step ${step}`).to.equal(scales[step]);
    trajectory[step]!.forEach((recorded, i) => {
      compare(values[i]!, recorded, i, "value", `${parameters[i]!.name} after step ${step}`);
    });
  }

  expect(optimizer.iterations).to.equal(final.iterations);
  const { variables } = optimizer;
  const heads = (list: readonly { path: string; shape: readonly number[] }[]) =>
    list.map(({ path, shape }) => ({ path, shape }));
  expect(heads(variables)).to.deep.equal(heads(final.variables));
  const known = scalars(optimizer, oracle.steps);
  final.variables.forEach(({ path, shape, value }: GoldenVariable, i) => {
    const actual = variables[i]!.value;
    if (shape.length === 0) {
      if (path in known) within([known[path]!], value, () => 1e-7 * value[0]!, path);
      within(actual, value, () => 1e-7 * value[0]!, path);
      return;
    }
    const { index, slot } = slotAt(path, parameters)!;
    compare(actual, value, index, slot, path);
  });
  if (!finalized) return;
  optimizer.finalizeVariableValues();
  finalized.forEach((recorded, i) => {
    compare(values[i]!, recorded, i, "ema", `${parameters[i]!.name}, finalized`);
  });
}

describe("AdamW follows Keras", () => {
  for (const golden of loadGolden("keras-float64").cases) {
    it(`in float64, within the roundings of fp32: ${golden.name}`, () => replay(golden, false));
  }
  for (const golden of loadGolden("keras-float32").cases) {
    it(`in float32, within its roundings and ours: ${golden.name}`, () => replay(golden, true));
  }
});
