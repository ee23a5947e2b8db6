/** Options as the numbers of native/rule/hyper.h. */

import { pack } from "./blocks.js";
import { resolveExclusions, type WeightDecayExclusions } from "./exclusions.js";
import { resolveGroups } from "./groups.js";
import { native } from "./native.js";
import type { ResolvedOptions } from "./options.js";
import type { Parameter } from "./parameters.js";
import type { Kind } from "./validate.js";

/** The loss scale: fixed, or adapting between limits. */
export interface LossScaling {
  readonly scale: number;
  readonly dynamic?: LossScaleLimits & { readonly growthSteps: number };
}

export interface LossScaleLimits {
  readonly minimum: number;
  readonly maximum: number;
}

/** A loss scale between the limits, rounded to the float32 that Keras keeps it in as they are. */
export function lossScaleKind({ minimum, maximum }: LossScaleLimits): Kind<number> {
  return {
    expected: `a number from minimumScale ${minimum} to maximumScale ${maximum}`,
    accepts(value) {
      const scale = typeof value === "number" ? Math.fround(value) : Number.NaN;
      return scale >= Math.fround(minimum) && scale <= Math.fround(maximum);
    },
  };
}

/** Null and 0 switch accumulation off. */
export function accumulationSteps(options: ResolvedOptions): number {
  return options.gradientAccumulationSteps || 1;
}

/** The block Policy. */
export function packPolicy(options: ResolvedOptions, { dynamic }: LossScaling): Float64Array {
  const limit = (value: number | null) => value ?? Number.POSITIVE_INFINITY;
  return pack(native.tables.policy, {
    torchFormula: Number(options.formula === "torch"),
    maximize: Number(options.maximize),
    amsgrad: Number(options.amsgrad),
    accumulationSteps: accumulationSteps(options),
    clipValue: limit(options.clipvalue),
    clipNorm: limit(options.clipnorm),
    globalClipNorm: limit(options.globalClipnorm),
    skipAboveNorm: limit(options.skipAboveNorm),
    skipNonFinite: Number(options.nonFinite !== "propagate"),
    zeroGradients: Number(options.zeroGradients),
    throwNonFinite: Number(options.nonFinite === "throw"),
    reportNorms: Number(options.reportNorms),
    useEma: Number(options.useEma),
    emaMomentum: options.emaMomentum,
    emaOverwriteFrequency: options.emaOverwriteFrequency ?? 0,
    emaPerUpdate: Number(options.emaUpdates === "update"),
    dynamicLossScale: Number(dynamic !== undefined),
    growthSteps: dynamic?.growthSteps ?? 0,
    minimumLossScale: dynamic?.minimum ?? 0,
    maximumLossScale: dynamic?.maximum ?? 0,
  });
}

/** Which hyper-parameters each parameter has. */
export interface Settings {
  /** Distinct blocks Setting, one after the other. */
  readonly settings: Float64Array;
  /** Of each trained parameter, in order: the index of its setting. */
  readonly assignment: Float64Array;
}

/** Whether each parameter takes part in anything. */
export function resolveFrozen(options: ResolvedOptions, parameters: readonly Parameter[]): readonly boolean[] {
  return resolveGroups(options.groups, parameters).map(({ frozen = false }) => frozen);
}

/** The settings that groups and exclusions give the parameters that are not frozen; an exclusion wins over a group. */
export function packSettings(
  options: ResolvedOptions,
  exclusions: WeightDecayExclusions | null,
  parameters: readonly Parameter[],
): Settings {
  const groups = resolveGroups(options.groups, parameters);
  const excluded = resolveExclusions(exclusions, parameters);
  const distinct = new Map<string, { index: number; block: Float64Array }>();
  const assignment: number[] = [];
  groups.forEach(({ frozen, learningRateMultiplier, weightDecay, beta1, beta2, epsilon }, i) => {
    if (frozen) return;
    const block = pack(native.tables.setting, {
      learningRateMultiplier,
      // NaN: the optimizer's own, which may follow a schedule.
      weightDecay: excluded[i] ? 0 : (weightDecay ?? Number.NaN),
      beta1: beta1 ?? options.beta1,
      beta2: beta2 ?? options.beta2,
      epsilon: epsilon ?? options.epsilon,
    });
    const key = block.join();
    const known = distinct.get(key) ?? { index: distinct.size, block };
    distinct.set(key, known);
    assignment.push(known.index);
  });
  const settings = [...distinct.values()].flatMap(({ block }) => [...block]);
  return { settings: Float64Array.from(settings), assignment: Float64Array.from(assignment) };
}
