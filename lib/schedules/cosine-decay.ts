import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { nonNegative, orNull, steps, stepsOrZero } from "../validate.js";
import { line, nameField, Schedule } from "./schedule.js";

export interface CosineDecayOptions {
  /** The rate at step 0: where the warm-up starts if there is one, else where the decay does. */
  initialLearningRate: number;
  /** The number of steps of the decay, warm-up not counted. */
  decaySteps: number;
  /** The rate at the end, as a fraction of the one the decay starts from. @default 0 */
  alpha?: number;
  /** @default "CosineDecay" */
  name?: string;
  /** The rate the warm-up reaches and the decay starts from; null: no warm-up. @default null */
  warmupTarget?: number | null;
  /** The number of steps of the linear warm-up. @default 0 */
  warmupSteps?: number;
}

type Resolved = Required<CosineDecayOptions>;

/**
 * Half a cosine from the start rate to `alpha` times it, after an optional linear warm-up, as Keras' `CosineDecay`;
 * one period of Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.
 */
export class CosineDecay extends Schedule<Resolved> {
  static override readonly name = "CosineDecay";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative },
    decaySteps: { key: "decay_steps", kind: steps },
    alpha: { key: "alpha", kind: nonNegative, default: 0 },
    name: nameField("CosineDecay"),
    warmupTarget: { key: "warmup_target", kind: orNull(nonNegative), default: null },
    warmupSteps: { key: "warmup_steps", kind: stepsOrZero, default: 0 },
  };

  constructor(options: CosineDecayOptions) {
    super(CosineDecay.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, decaySteps, alpha, warmupTarget, warmupSteps } = this.options;
    // Keras ignores warmup_steps where there is no target.
    const warmup = warmupTarget === null ? 0 : warmupSteps;
    if (step < warmup) return line(initialLearningRate, warmupTarget as number, step / warmup);
    const done = Math.min(1, (step - warmup) / decaySteps);
    return (warmupTarget ?? initialLearningRate) * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * done)) + alpha);
  }
}
