/** AdamW in float64 on single elements: what a result is held to before it is timed. Written from docs/semantics.md. */

import { resolveExclusions } from "../../exclusions.js";
import { resolveGroups } from "../../groups.js";
import type { ResolvedOptions } from "../../options.js";
import type { Parameter } from "../../parameters.js";
import { rateAt } from "../../rates.js";

/** The hyper-parameters of one parameter. */
export interface OracleSetting {
  readonly multiplier: number;
  /** Null: that of the step. */
  readonly weightDecay: number | null;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly frozen: boolean;
}

/** One parameter's settings, groups and exclusions applied. */
export function oracleSettings(options: ResolvedOptions, parameters: readonly Parameter[]): OracleSetting[] {
  const excluded = resolveExclusions(options.excludeFromWeightDecay, parameters);
  return resolveGroups(options.groups, parameters).map((group, i) => ({
    multiplier: group.learningRateMultiplier,
    weightDecay: excluded[i] ? 0 : (group.weightDecay ?? null),
    beta1: group.beta1 ?? options.beta1,
    beta2: group.beta2 ?? options.beta2,
    epsilon: group.epsilon ?? options.epsilon,
    frozen: group.frozen ?? false,
  }));
}

/** What every element of one parameter has in common. */
export interface OracleInput {
  readonly options: ResolvedOptions;
  readonly setting: OracleSetting;
  /** Gradient scales of the steps taken. */
  readonly scales: readonly number[];
  /** Norms of the gradients as they are in memory: of this parameter, and of all that are trained. */
  readonly norm: number;
  readonly globalNorm: number;
}

export interface OracleValue {
  readonly value: number;
  /** The sum of the sizes of all changes: what rounding errors are measured by. */
  readonly moved: number;
}

/** Where an element that starts at `start`, with `gradient` in memory at first, stands after the steps. */
export function oracle(input: OracleInput, start: number, gradient: number): OracleValue {
  const { options, setting, scales } = input;
  const window = options.gradientAccumulationSteps || 1;
  let [p, m, v, top, average, factor, moved] = [start, 0, 0, 0, 0, 0, 0];
  if (setting.frozen) return { value: p, moved };
  for (const [raw, scale] of scales.entries()) {
    const left = options.zeroGradients && raw > 0 ? 0 : 1;
    factor += (left * scale) / (options.lossScaleFactor ?? 1) / window;
    const iteration = Math.floor(raw / window);
    const updates = (raw + 1) % window === 0;
    if (updates) {
      const g = clipped(input, gradient * factor, factor) * (options.maximize ? -1 : 1);
      factor = 0;
      m += (1 - setting.beta1) * (g - m);
      v += (1 - setting.beta2) * (g * g - v);
      top = Math.max(top, v);
      const change = step(input, raw, iteration + 1, p, m, options.amsgrad ? top : v);
      p -= change;
      moved += Math.abs(change);
    }
    if (options.useEma && (updates || options.emaUpdates === "apply")) {
      average += (1 - (iteration === 0 ? 0 : options.emaMomentum)) * (p - average);
      const every = options.emaOverwriteFrequency ?? 0;
      if (every > 0 && (iteration + 1) % every === 0) p = average;
    }
  }
  return { value: p, moved };
}

function clipped({ options, norm, globalNorm }: OracleInput, g: number, factor: number): number {
  const within = (limit: number, size: number) => (size > limit ? limit / size : 1);
  if (options.clipvalue !== null) return Math.max(-options.clipvalue, Math.min(options.clipvalue, g));
  if (options.clipnorm !== null) return g * within(options.clipnorm, norm * factor);
  if (options.globalClipnorm !== null) return g * within(options.globalClipnorm, globalNorm * factor);
  return g;
}

function step({ options, setting }: OracleInput, raw: number, t: number, p: number, m: number, v: number): number {
  const rate = rateAt(options.learningRate, raw, "learningRate") * setting.multiplier;
  const decay = setting.weightDecay ?? rateAt(options.weightDecay, raw, "weightDecay");
  const [correction1, correction2] = [1 - setting.beta1 ** t, Math.sqrt(1 - setting.beta2 ** t)];
  const adam =
    options.formula === "torch"
      ? ((rate / correction1) * m) / (Math.sqrt(v) / correction2 + setting.epsilon)
      : (((rate * correction2) / correction1) * m) / (Math.sqrt(v) + setting.epsilon);
  return rate * decay * p + adam;
}
