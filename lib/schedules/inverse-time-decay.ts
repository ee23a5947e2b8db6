import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { boolean, nonNegative, steps } from "../validate.js";
import { nameField, Schedule } from "./schedule.js";

export interface InverseTimeDecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** The number of steps in which the divisor grows by `decayRate`. */
  decaySteps: number;
  /** The growth of the divisor per `decaySteps`. */
  decayRate: number;
  /** Let the divisor grow only at whole multiples of `decaySteps`. @default false */
  staircase?: boolean;
  /** @default "InverseTimeDecay" */
  name?: string;
}

type Resolved = Required<InverseTimeDecayOptions>;

/** `initial / (1 + rate · step / decaySteps)`, as Keras' `InverseTimeDecay`. */
export class InverseTimeDecay extends Schedule<Resolved> {
  static override readonly name = "InverseTimeDecay";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative },
    decaySteps: { key: "decay_steps", kind: steps },
    decayRate: { key: "decay_rate", kind: nonNegative },
    staircase: { key: "staircase", kind: boolean, default: false },
    name: nameField("InverseTimeDecay"),
  };

  constructor(options: InverseTimeDecayOptions) {
    super(InverseTimeDecay.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, decaySteps, decayRate, staircase } = this.options;
    const periods = step / decaySteps;
    return initialLearningRate / (1 + decayRate * (staircase ? Math.floor(periods) : periods));
  }
}
