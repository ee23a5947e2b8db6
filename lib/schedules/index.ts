/** The schedules: Keras' seven under Keras' names, then those Keras lacks. */

import { CosineDecay } from "./cosine-decay.js";
import { CosineDecayRestarts } from "./cosine-decay-restarts.js";
import { ExponentialDecay } from "./exponential-decay.js";
import { InverseSquareRoot } from "./inverse-square-root.js";
import { InverseTimeDecay } from "./inverse-time-decay.js";
import { Join } from "./join.js";
import { OneCycle } from "./one-cycle.js";
import { PiecewiseConstantDecay } from "./piecewise-constant-decay.js";
import { PolynomialDecay } from "./polynomial-decay.js";
import { WarmupLinear } from "./warmup-linear.js";
import { WarmupStableDecay } from "./warmup-stable-decay.js";

export { CosineDecay, type CosineDecayOptions } from "./cosine-decay.js";
export { CosineDecayRestarts, type CosineDecayRestartsOptions } from "./cosine-decay-restarts.js";
export { ExponentialDecay, type ExponentialDecayOptions } from "./exponential-decay.js";
export { InverseSquareRoot, type InverseSquareRootOptions } from "./inverse-square-root.js";
export { InverseTimeDecay, type InverseTimeDecayOptions } from "./inverse-time-decay.js";
export { Join, type JoinOptions } from "./join.js";
export { OneCycle, type OneCycleOptions } from "./one-cycle.js";
export { PiecewiseConstantDecay, type PiecewiseConstantDecayOptions } from "./piecewise-constant-decay.js";
export { PolynomialDecay, type PolynomialDecayOptions } from "./polynomial-decay.js";
export { isSchedule, type LearningRateSchedule } from "./schedule.js";
export { WarmupLinear, type WarmupLinearOptions } from "./warmup-linear.js";
export { WarmupStableDecay, type WarmupStableDecayOptions } from "./warmup-stable-decay.js";

/** Every schedule by its `class_name` in JSON. */
export const scheduleClasses = {
  CosineDecay,
  CosineDecayRestarts,
  ExponentialDecay,
  InverseTimeDecay,
  PiecewiseConstantDecay,
  PolynomialDecay,
  InverseSquareRoot,
  Join,
  OneCycle,
  WarmupLinear,
  WarmupStableDecay,
} as const;
