/** The options of AdamW: their types, their table, and how they are checked. Adding one takes a line in each. */

import { runtimeKeys } from "./device.js";
import { AdamWError, either, unexpected } from "./errors.js";
import { exclusionsKind, type WeightDecayExclusions } from "./exclusions.js";
import { type Fields, resolveFields } from "./fields.js";
import { groupsKind, type ParameterGroup } from "./groups.js";
import { serialize } from "./keras-object.js";
import { isSchedule, type LearningRateSchedule, scheduleKind } from "./schedules/schedule.js";
import {
  belowOne,
  boolean,
  countOrNull,
  divisorFloat32,
  fraction,
  isRecord,
  type Kind,
  nonNegativeFloat32,
  oneOf,
  orNull,
  positive,
  positiveFloat32,
  text,
} from "./validate.js";

/** A number, a schedule, or a function called once for every update that is issued. */
export type LearningRate = number | LearningRateSchedule | (() => number);

export interface AdamWOptions {
  /** The prefix of the variables' paths. @default "adamw" */
  name?: string;
  /** The size of a step. @default 0.001 */
  learningRate?: LearningRate;
  /** The part of a parameter that one step takes away, per unit of learning rate (decoupled). @default 0.004 */
  weightDecay?: number | LearningRateSchedule;
  /** The largest L2 norm of the gradient of each parameter. At most one of the three clips can be set. @default null */
  clipnorm?: number | null;
  /** The largest L2 norm of all gradients together. @default null */
  globalClipnorm?: number | null;
  /** The largest absolute value of each gradient element. @default null */
  clipvalue?: number | null;
  /** Keep an exponential moving average of the parameters. @default false */
  useEma?: boolean;
  /** The part of the average that one step keeps. @default 0.99 */
  emaMomentum?: number;
  /** Copy the average into the parameters every so many iterations; null and 0: never. @default null */
  emaOverwriteFrequency?: number | null;
  /** The factor the loss was multiplied with, by which gradients are divided. @default null */
  lossScaleFactor?: number | null;
  /** Update once per so many calls, with the mean of their gradients; null and 0: at every call. @default null */
  gradientAccumulationSteps?: number | null;
  /** The decay rate of the mean of gradients. @default 0.9 */
  beta1?: number;
  /** The decay rate of the mean of squared gradients. @default 0.999 */
  beta2?: number;
  /** Added to the root of the mean of squared gradients. @default 1e-7 */
  epsilon?: number;
  /** Divide by the largest mean of squared gradients so far instead of the newest. @default false */
  amsgrad?: boolean;
  /** Where epsilon goes: before the bias correction as in Keras, or after it as in PyTorch. @default "keras" */
  formula?: "keras" | "torch";
  /** Climb instead of descend. @default false */
  maximize?: boolean;
  /** What a non-finite gradient does: reach the parameters, skip the whole step, or throw. @default "propagate" */
  nonFinite?: "propagate" | "skip" | "throw";
  /** Skip a step whose global gradient norm is above this. @default null */
  skipAboveNorm?: number | null;
  /** Set gradients to zero in the pass that reads them. @default false */
  zeroGradients?: boolean;
  /** Advance the moving average at every call, as Keras does, or once per update. @default "apply" */
  emaUpdates?: "apply" | "update";
  /** Report the gradient norms, of each parameter too, even where the step needs none. @default false */
  reportNorms?: boolean;
  /** Settings for some of the parameters. @default [] */
  groups?: readonly ParameterGroup[];
  /** Parameters without weight decay, as the method of the same name sets them. @default null */
  excludeFromWeightDecay?: WeightDecayExclusions | null;
}

/** The options with every field present and checked, frozen. */
export type ResolvedOptions = Readonly<Required<AdamWOptions>>;

const isRate = (value: unknown) => nonNegativeFloat32.accepts(value) || isSchedule(value);

const weightDecay: Kind<number | LearningRateSchedule> = {
  expected: `${nonNegativeFloat32.expected} or ${scheduleKind.expected}`,
  float: true,
  accepts: isRate,
  write: (value) => (typeof value === "number" ? value : serialize(value)),
  read: (json, name, nested) => (isRecord(json) ? nested(json, name) : json),
};

export const learningRateKind: Kind<LearningRate> = {
  expected: `${nonNegativeFloat32.expected}, ${scheduleKind.expected} or a function`,
  float: true,
  // A class, forgotten to be made an object of, is a function too.
  accepts: (value) => isRate(value) || (typeof value === "function" && !/^class\b/.test(String(value))),
  // Keras keeps the rate in a float32 variable and writes what it reads back.
  write: (value) => (typeof value === "number" ? Math.fround(value) : serialize(value)),
  read: (json, name, nested) => (isRecord(json) ? nested(json, name) : json),
};

/** Every option once: Keras' in the order of Keras' `get_config()`, then those beyond Keras. */
export const optionFields: Fields<ResolvedOptions> = {
  name: { key: "name", kind: text, default: "adamw" },
  learningRate: { key: "learning_rate", kind: learningRateKind, default: 0.001 },
  weightDecay: { key: "weight_decay", kind: weightDecay, default: 0.004 },
  clipnorm: { key: "clipnorm", kind: orNull(positive), default: null },
  globalClipnorm: { key: "global_clipnorm", kind: orNull(positive), default: null },
  clipvalue: { key: "clipvalue", kind: orNull(positiveFloat32), default: null },
  useEma: { key: "use_ema", kind: boolean, default: false },
  emaMomentum: { key: "ema_momentum", kind: fraction, default: 0.99 },
  emaOverwriteFrequency: { key: "ema_overwrite_frequency", kind: countOrNull(1), default: null },
  lossScaleFactor: { key: "loss_scale_factor", kind: orNull(divisorFloat32), default: null },
  gradientAccumulationSteps: { key: "gradient_accumulation_steps", kind: countOrNull(2), default: null },
  beta1: { key: "beta_1", kind: belowOne, default: 0.9 },
  beta2: { key: "beta_2", kind: belowOne, default: 0.999 },
  epsilon: { key: "epsilon", kind: nonNegativeFloat32, default: 1e-7 },
  amsgrad: { key: "amsgrad", kind: boolean, default: false },

  formula: { key: "formula", kind: oneOf("keras", "torch"), default: "keras", own: true },
  maximize: { key: "maximize", kind: boolean, default: false, own: true },
  nonFinite: { key: "non_finite", kind: oneOf("propagate", "skip", "throw"), default: "propagate", own: true },
  skipAboveNorm: { key: "skip_above_norm", kind: orNull(positive), default: null, own: true },
  zeroGradients: { key: "zero_gradients", kind: boolean, default: false, own: true },
  emaUpdates: { key: "ema_updates", kind: oneOf("apply", "update"), default: "apply", own: true },
  reportNorms: { key: "report_norms", kind: boolean, default: false, own: true },
  groups: { key: "groups", kind: groupsKind, default: [], own: true },
  excludeFromWeightDecay: { key: "exclude_from_weight_decay", kind: orNull(exclusionsKind), default: null, own: true },
};

const clips = ["clipnorm", "globalClipnorm", "clipvalue"] as const;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws INVALID_ARGUMENT for unknown options, wrong values, and more than one clip
 */
export function resolveOptions(options: AdamWOptions = {}): ResolvedOptions {
  const misplaced = isRecord(options) ? Object.keys(options).find((key) => runtimeKeys.includes(key)) : undefined;
  if (misplaced !== undefined) {
    const hint = `it goes into the second argument, new AdamW(options, { ${misplaced} })`;
    throw new AdamWError("INVALID_ARGUMENT", `Unknown key "${misplaced}" in the options of AdamW: ${hint}`);
  }
  const resolved = resolveFields(optionFields, options, "the options of AdamW");
  const given = clips.filter((clip) => resolved[clip] !== null);
  if (given.length > 1) {
    const received = Object.fromEntries(given.map((clip) => [clip, resolved[clip]]));
    throw unexpected(`at most one of ${either(clips, "and")}`, received);
  }
  return resolved;
}
