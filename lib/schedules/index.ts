/** The schedules: Keras' six under Keras' names, then those Keras lacks. */

export { CosineDecay, type CosineDecayOptions } from "./cosine-decay.js";
export { CosineDecayRestarts, type CosineDecayRestartsOptions } from "./cosine-decay-restarts.js";
export { ExponentialDecay, type ExponentialDecayOptions } from "./exponential-decay.js";
export { InverseSquareRoot, type InverseSquareRootOptions } from "./inverse-square-root.js";
export { InverseTimeDecay, type InverseTimeDecayOptions } from "./inverse-time-decay.js";
export { Join, type JoinOptions } from "./join.js";
export { OneCycle, type OneCycleOptions } from "./one-cycle.js";
export { PiecewiseConstantDecay, type PiecewiseConstantDecayOptions } from "./piecewise-constant-decay.js";
export { PolynomialDecay, type PolynomialDecayOptions } from "./polynomial-decay.js";
export type { LearningRateSchedule } from "./schedule.js";
export { WarmupLinear, type WarmupLinearOptions } from "./warmup-linear.js";
export { WarmupStableDecay, type WarmupStableDecayOptions } from "./warmup-stable-decay.js";
