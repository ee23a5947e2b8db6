import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { boolean, nonNegative, steps } from "../validate.js";
import { nameField, Schedule } from "./schedule.js";

export interface PolynomialDecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** The number of steps until the end rate. */
  decaySteps: number;
  /** The rate after `decaySteps`. @default 0.0001 */
  endLearningRate?: number;
  /** The exponent; 1 is a straight line. @default 1 */
  power?: number;
  /** Start again after each end, stretching the decay to the next multiple of `decaySteps`. @default false */
  cycle?: boolean;
  /** @default "PolynomialDecay" */
  name?: string;
}

type Resolved = Required<PolynomialDecayOptions>;

/** `(initial − end) · (1 − step / decaySteps)^power + end`, as Keras' `PolynomialDecay`. */
export class PolynomialDecay extends Schedule<Resolved> {
  static override readonly name = "PolynomialDecay";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative },
    decaySteps: { key: "decay_steps", kind: steps },
    endLearningRate: { key: "end_learning_rate", kind: nonNegative, default: 0.0001 },
    power: { key: "power", kind: nonNegative, default: 1 },
    cycle: { key: "cycle", kind: boolean, default: false },
    name: nameField("PolynomialDecay"),
  };

  constructor(options: PolynomialDecayOptions) {
    super(PolynomialDecay.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, decaySteps, endLearningRate, power, cycle } = this.options;
    const cycles = cycle ? Math.max(1, Math.ceil(step / decaySteps)) : 1;
    const done = Math.min(1, step / (decaySteps * cycles));
    return (initialLearningRate - endLearningRate) * (1 - done) ** power + endLearningRate;
  }
}
