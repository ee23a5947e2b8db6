import type { Fields } from "../fields.js";
import { ownSchedules } from "../keras-object.js";
import { nonNegative, oneOf, steps, stepsOrZero } from "../validate.js";
import { line, nameField, Schedule } from "./schedule.js";

/** How far down the rate is (0 at the start, 1 at the end) when a part `t` of the decay is done. */
const descents = {
  linear: (t: number) => t,
  cosine: (t: number) => 0.5 * (1 - Math.cos(Math.PI * t)),
  "1-sqrt": (t: number) => Math.sqrt(t),
} as const;

export interface WarmupStableDecayOptions {
  /** The rate at step 0. @default 0 */
  initialLearningRate?: number;
  /** The rate the warm-up reaches and the stable phase keeps. */
  warmupTarget: number;
  /** The number of steps of the warm-up. */
  warmupSteps: number;
  /** The number of steps at the target. */
  stableSteps: number;
  /** The number of steps of the decay. */
  decaySteps: number;
  /** The rate from the end of the decay on. @default 0 */
  endLearningRate?: number;
  /** The form of the decay; `"1-sqrt"` is the one of arXiv:2405.18392. @default "linear" */
  decay?: keyof typeof descents;
  /** @default "WarmupStableDecay" */
  name?: string;
}

type Resolved = Required<WarmupStableDecayOptions>;

/**
 * Up, level, down: Hu et al. 2024 (MiniCPM), arXiv:2404.06395, section 4.2, with the decays compared by Hägele et al.
 * 2024, arXiv:2405.18392. A run can be prolonged at its stable rate without its length being known beforehand.
 */
export class WarmupStableDecay extends Schedule<Resolved> {
  static override readonly name = "WarmupStableDecay";
  static readonly module = ownSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative, default: 0 },
    warmupTarget: { key: "warmup_target", kind: nonNegative },
    warmupSteps: { key: "warmup_steps", kind: stepsOrZero },
    stableSteps: { key: "stable_steps", kind: stepsOrZero },
    decaySteps: { key: "decay_steps", kind: steps },
    endLearningRate: { key: "end_learning_rate", kind: nonNegative, default: 0 },
    decay: { key: "decay", kind: oneOf("linear", "cosine", "1-sqrt"), default: "linear" },
    name: nameField("WarmupStableDecay"),
  };

  constructor(options: WarmupStableDecayOptions) {
    super(WarmupStableDecay.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, warmupTarget, warmupSteps, stableSteps, decaySteps, endLearningRate } = this.options;
    if (step < warmupSteps) return line(initialLearningRate, warmupTarget, step / warmupSteps);
    const done = (step - warmupSteps - stableSteps) / decaySteps;
    if (done <= 0) return warmupTarget;
    return line(warmupTarget, endLearningRate, descents[this.options.decay](Math.min(1, done)));
  }
}
