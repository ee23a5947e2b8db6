import { expect } from "chai";
import fc from "fast-check";
import { AdamW, devices, LossScaleOptimizer, type StepReport } from "../lib/index.js";
import { resolveOptions } from "../lib/options.js";
import { type RandomRun, randomRun } from "./arbitrary.js";
import { firstDifference, noise, unit } from "./inputs.js";
import { Oracle } from "./oracle.js";
import { readSlots } from "./slots.js";
import { within } from "./within.js";

const runs = 100;

/** The run's names, initial values and gradients, the same at every call. */
function inputsOf({ parameters, steps, seed }: RandomRun) {
  const named = parameters.map(({ length, setting }, i) => {
    const { excluded = false, ...group } = setting;
    return { name: `layer${i}/p`, value: Float32Array.from({ length }, (_, j) => noise(seed + i, j)), excluded, group };
  });
  const gradients = steps.map(({ present, fault }, step) =>
    parameters.map(({ length }, i) => {
      if (((present >> i) & 1) === 0) return null;
      // Each element keeps its own magnitude, from 2⁻³⁰ to 2³: far below and far above epsilon.
      const gradient = Float32Array.from({ length }, (_, j) => {
        return noise(seed + 31 * step, 100 * i + j) * 2 ** Math.floor(17 * unit(seed + i, j) - 13.5);
      });
      if (fault && fault.parameter === i && fault.element < length) gradient[fault.element] = fault.value;
      return gradient;
    }),
  );
  return { named, gradients };
}

interface Outcome {
  reports: StepReport[];
  /** The parameters after each step. */
  trajectory: Float32Array[][];
  optimizer: AdamW | LossScaleOptimizer;
}

function play(run: RandomRun, runtime: { device: string; threads: number }): Outcome {
  const { named, gradients } = inputsOf(run);
  const groups = named.map(({ name: match, group }) => ({ match, ...group }));
  const names = named.filter(({ excluded }) => excluded).map(({ name }) => name);
  const inner = new AdamW({ ...run.options, groups, excludeFromWeightDecay: { parameters: names } }, runtime);
  const optimizer = run.dynamic ? new LossScaleOptimizer(inner, run.dynamic) : inner;
  optimizer.build(named.map(({ name, value }) => ({ name, value })));
  const reports: StepReport[] = [];
  const trajectory = run.steps.map(({ gradientScale }, step) => {
    const given = gradients[step]!;
    const before = given.map((gradient) => gradient?.slice());
    reports.push(optimizer.apply(given, { gradientScale })!);
    for (const [i, gradient] of given.entries()) {
      const zeroed = run.options.zeroGradients && !named[i]!.group.frozen;
      if (gradient) expect(gradient, `gradient ${i}`).to.deep.equal(zeroed ? gradient.map(() => 0) : before[i]);
    }
    return named.map(({ value }) => value.slice());
  });
  return { reports, trajectory, optimizer };
}

function compareReports(actual: StepReport, expected: StepReport, { normErrors }: Oracle, step: number): void {
  const { globalNorm, clipScale, parameterNorms = [], ...exact } = expected;
  expect(actual, `report of step ${step}`).to.deep.include(exact);
  const what = (name: string) => `${name} of step ${step}`;
  const known = (x: number | null) => x ?? -1;
  within([known(actual.globalNorm)], [known(globalNorm)], [normErrors.global], what("norm"));
  const clipError = (scale: number) => (scale * normErrors.global) / known(globalNorm);
  within([known(actual.clipScale)], [known(clipScale)], clipError, what("clip"));
  within(actual.parameterNorms ?? [], parameterNorms, normErrors.parameters, what("parameter norms"));
}

function againstOracle(run: RandomRun): void {
  const { named, gradients } = inputsOf(run);
  const oracle = new Oracle(
    resolveOptions(run.options),
    named.map(({ value, excluded, group }) => ({ value, setting: { ...group, excluded } })),
    { dynamic: run.dynamic },
  );
  const { reports, trajectory, optimizer } = play(run, { device: "auto", threads: 1 });
  for (const [step, { gradientScale }] of run.steps.entries()) {
    const expected = oracle.step(gradients[step]!, gradientScale);
    compareReports(reports[step]!, expected, oracle, step);
    for (const [i, { exact, error }] of oracle.states.entries()) {
      within(trajectory[step]![i]!, exact.value, error.value, `${named[i]!.name} after step ${step}`);
    }
  }
  expect(optimizer.lossScale).to.equal(oracle.lossScale);
  for (const { index, slot, path, value } of readSlots(optimizer.variables, named)) {
    const { exact, error } = oracle.states[index]!;
    within(value, exact[slot], error[slot], path);
  }
  optimizer.dispose();
}

function betweenDevices(run: RandomRun): void {
  const available = devices().filter((device) => device.available);
  const { reports, trajectory, optimizer } = play(run, { device: "cpu:scalar", threads: 1 });
  const { variables } = optimizer;
  for (const [i, { name: device }] of available.entries()) {
    const threads = ((run.seed + i) % 4) + 1;
    const other = play(run, { device, threads });
    expect(other.reports).to.deep.equal(reports);
    const pairs = [
      ...trajectory.flatMap((values, step) => values.map((value, k) => [value, other.trajectory[step]![k]!] as const)),
      ...variables.map(({ value }, k) => [value, other.optimizer.variables[k]!.value] as const),
    ];
    for (const [expected, actual] of pairs) expect(firstDifference(actual, expected), device).to.equal(-1);
    other.optimizer.dispose();
  }
  optimizer.dispose();
}

describe("Any mix of options", () => {
  it("stays within the roundings of fp32 of a plain float64 computation, and reports the same", () => {
    fc.assert(fc.property(randomRun, againstOracle), { numRuns: runs });
  });

  it("gives the same bits and reports on every device and with any number of threads", () => {
    fc.assert(fc.property(randomRun, betweenDevices), { numRuns: runs });
  });
});
