import type { Fields } from "../fields.js";
import { ownSchedules } from "../keras-object.js";
import { nonNegative, steps, stepsOrZero } from "../validate.js";
import { line, nameField, Schedule } from "./schedule.js";

export interface WarmupLinearOptions {
  /** The rate at step 0. @default 0 */
  initialLearningRate?: number;
  /** The rate the warm-up reaches and the decay starts from. */
  warmupTarget: number;
  /** The number of steps of the warm-up. */
  warmupSteps: number;
  /** The number of steps of the decay, warm-up not counted. */
  decaySteps: number;
  /** The rate from the end of the decay on. @default 0 */
  endLearningRate?: number;
  /** @default "WarmupLinear" */
  name?: string;
}

type Resolved = Required<WarmupLinearOptions>;

/** A straight line up, then a straight line down: Devlin et al. 2019 (BERT), arXiv:1810.04805, appendix A.2. */
export class WarmupLinear extends Schedule<Resolved> {
  static override readonly name = "WarmupLinear";
  static readonly module = ownSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative, default: 0 },
    warmupTarget: { key: "warmup_target", kind: nonNegative },
    warmupSteps: { key: "warmup_steps", kind: stepsOrZero },
    decaySteps: { key: "decay_steps", kind: steps },
    endLearningRate: { key: "end_learning_rate", kind: nonNegative, default: 0 },
    name: nameField("WarmupLinear"),
  };

  constructor(options: WarmupLinearOptions) {
    super(WarmupLinear.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, warmupTarget, warmupSteps, decaySteps, endLearningRate } = this.options;
    if (step < warmupSteps) return line(initialLearningRate, warmupTarget, step / warmupSteps);
    return line(warmupTarget, endLearningRate, (step - warmupSteps) / decaySteps);
  }
}
