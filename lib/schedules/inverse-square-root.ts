import type { Fields } from "../fields.js";
import { ownSchedules } from "../keras-object.js";
import { nonNegative, steps } from "../validate.js";
import { line, nameField, Schedule } from "./schedule.js";

export interface InverseSquareRootOptions {
  /** The rate at step 0. @default 0 */
  initialLearningRate?: number;
  /** The rate at the end of the warm-up, the highest one. */
  warmupTarget: number;
  /** The number of steps of the warm-up, which also sets the pace of the decay: at 4 times as many, half the rate. */
  warmupSteps: number;
  /** @default "InverseSquareRoot" */
  name?: string;
}

type Resolved = Required<InverseSquareRootOptions>;

/**
 * A straight line up, then `target · √(warmupSteps / step)`: Vaswani et al. 2017, arXiv:1706.03762, eq. 3, where the
 * target is `(model width · warmupSteps)^−½`.
 */
export class InverseSquareRoot extends Schedule<Resolved> {
  static override readonly name = "InverseSquareRoot";
  static readonly module = ownSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative, default: 0 },
    warmupTarget: { key: "warmup_target", kind: nonNegative },
    warmupSteps: { key: "warmup_steps", kind: steps },
    name: nameField("InverseSquareRoot"),
  };

  constructor(options: InverseSquareRootOptions) {
    super(InverseSquareRoot.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, warmupTarget, warmupSteps } = this.options;
    if (step < warmupSteps) return line(initialLearningRate, warmupTarget, step / warmupSteps);
    return warmupTarget * Math.sqrt(warmupSteps / step);
  }
}
