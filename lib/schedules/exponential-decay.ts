import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { boolean, nonNegative, steps } from "../validate.js";
import { nameField, Schedule } from "./schedule.js";

export interface ExponentialDecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** The number of steps in which the rate is multiplied by `decayRate` once. */
  decaySteps: number;
  /** The factor per `decaySteps`. */
  decayRate: number;
  /** Multiply only at whole multiples of `decaySteps`. @default false */
  staircase?: boolean;
  /** @default "ExponentialDecay" */
  name?: string;
}

type Resolved = Required<ExponentialDecayOptions>;

/** `initial · rate^(step / decaySteps)`, as Keras' `ExponentialDecay`. */
export class ExponentialDecay extends Schedule<Resolved> {
  static override readonly name = "ExponentialDecay";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative },
    decaySteps: { key: "decay_steps", kind: steps },
    decayRate: { key: "decay_rate", kind: nonNegative },
    staircase: { key: "staircase", kind: boolean, default: false },
    name: nameField("ExponentialDecay"),
  };

  constructor(options: ExponentialDecayOptions) {
    super(ExponentialDecay.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, decaySteps, decayRate, staircase } = this.options;
    const periods = step / decaySteps;
    return initialLearningRate * decayRate ** (staircase ? Math.floor(periods) : periods);
  }
}
