/** Recorded runs of the real PyTorch: test/golden/README.md says how they were made. */

import { expect } from "chai";
import { AdamW, type AdamWOptions } from "../lib/index.js";
import { resolveOptions } from "../lib/options.js";
import { loadGolden, type TorchCase, type TorchGroup } from "./golden/golden.js";
import { Oracle } from "./oracle.js";
import { readSlots } from "./slots.js";
import { within, withinDouble } from "./within.js";

const torchSlots = { moment1: "exp_avg", moment2: "exp_avg_sq", maxMoment2: "max_exp_avg_sq" } as const;

/** What a group of PyTorch's sets, in our words; its rate becomes a part of the first group's. */
function settingOf({ lr, betas: [beta1, beta2], eps: epsilon, weight_decay: weightDecay }: TorchGroup, rate: number) {
  return { learningRateMultiplier: lr === rate ? 1 : lr / rate, beta1, beta2, epsilon, weightDecay };
}

function replay({ parameters, initial, gradients, groups, events = [], trajectory, final }: TorchCase): void {
  const { lr, amsgrad, maximize } = groups[0]!;
  const settings = groups.map((group) => settingOf(group, lr));
  const plain: AdamWOptions = { formula: "torch", learningRate: lr, amsgrad, maximize };
  const optimizer = new AdamW({
    ...plain,
    groups: groups.flatMap(({ params }, i) => params.map((match) => ({ match, ...settings[i] }))),
  });
  const values = initial.map((value) => Float32Array.from(value));
  optimizer.build(parameters.map(({ name, shape }, i) => ({ name, shape, value: values[i]! })));
  const setting = (name: string) => settings[groups.findIndex(({ params }) => params.includes(name))]!;
  const oracle = new Oracle(
    resolveOptions(plain),
    parameters.map(({ name }, i) => ({ value: initial[i]!, setting: setting(name) })),
  );

  for (const [step, given] of gradients.entries()) {
    for (const { beforeStep, setLearningRate } of events) {
      if (beforeStep === step) optimizer.learningRate = oracle.learningRate = setLearningRate!;
    }
    optimizer.apply(given.map((gradient) => gradient && Float32Array.from(gradient)));
    oracle.step(given);
    trajectory[step]!.forEach((recorded, i) => {
      const { exact, error } = oracle.states[i]!;
      const what = `${parameters[i]!.name} after step ${step}`;
      withinDouble(exact.value, recorded, `the oracle's ${what}`);
      within(values[i]!, recorded, (x, j) => error.value[j]! + 1e-12 * Math.abs(x), what);
    });
  }

  for (const { index, slot, path, value } of readSlots(optimizer.variables, parameters)) {
    const { exact, error, updates } = oracle.states[index]!;
    const state = final.state[parameters[index]!.name];
    expect(updates, `updates of ${path}`).to.equal(state?.step ?? 0);
    // PyTorch has no state for a parameter that never had a gradient.
    const recorded = state?.[torchSlots[slot as keyof typeof torchSlots]] ?? Array.from(value, () => 0);
    withinDouble(exact[slot], recorded, `the oracle's ${path}`);
    within(value, recorded, (x, j) => error[slot][j]! + 1e-12 * Math.abs(x), path);
  }
}

describe('AdamW with formula "torch" follows PyTorch', () => {
  for (const golden of loadGolden("torch-float64").cases) {
    it(`within the roundings of fp32: ${golden.name}`, () => replay(golden));
  }

  // What torch 2.13.0 computes in float64. An average that adds 1 − β of the difference keeps the rounding of the
  // large gradient instead: the second parameter moved by 473,737.
  for (const [beta1, gradients, expected] of [
    [0, [1e4, 0.1], 0.9800000010000098],
    [0.9, [1, 1e-4], -46.37894731569475],
  ] as const) {
    it(`where beta2 is 0, beta1 ${beta1} and a small gradient follows a large one`, () => {
      const options = { learningRate: 0.01, weightDecay: 0, epsilon: 1e-8, beta1, beta2: 0 };
      const value = Float32Array.of(1);
      const optimizer = new AdamW({ ...options, formula: "torch" }).build([{ name: "w", value }]);
      for (const gradient of gradients) optimizer.apply([Float32Array.of(gradient)]);
      expect(value[0]).to.be.closeTo(expected, 1e-7 * Math.abs(expected));
    });
  }
});
