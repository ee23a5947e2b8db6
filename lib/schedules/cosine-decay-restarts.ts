import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { atLeastOne, nonNegative, steps } from "../validate.js";
import { nameField, Schedule } from "./schedule.js";

export interface CosineDecayRestartsOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** The number of steps of the first period. */
  firstDecaySteps: number;
  /** How many times as long as the one before each period is; at least 1. @default 2 */
  tMul?: number;
  /** The start rate of a period as a multiple of that of the one before. @default 1 */
  mMul?: number;
  /** The lowest rate, as a fraction of the initial one. @default 0 */
  alpha?: number;
  /** @default "SGDRDecay" */
  name?: string;
}

type Resolved = Required<CosineDecayRestartsOptions>;

/**
 * Cosine decay with warm restarts, as Keras' `CosineDecayRestarts`; Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.
 *
 * Keras takes the number of the period from a logarithm, which at a restart can round to the period before and give the
 * lowest rate instead of the highest; here a period starts exactly at its first step.
 */
export class CosineDecayRestarts extends Schedule<Resolved> {
  static override readonly name = "CosineDecayRestarts";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    initialLearningRate: { key: "initial_learning_rate", kind: nonNegative },
    firstDecaySteps: { key: "first_decay_steps", kind: steps },
    tMul: { key: "t_mul", kind: atLeastOne, default: 2 },
    mMul: { key: "m_mul", kind: nonNegative, default: 1 },
    alpha: { key: "alpha", kind: nonNegative, default: 0 },
    name: nameField("SGDRDecay"),
  };

  constructor(options: CosineDecayRestartsOptions) {
    super(CosineDecayRestarts.fields, options);
  }

  protected override valueAt(step: number): number {
    const { initialLearningRate, firstDecaySteps, tMul, mMul, alpha } = this.options;
    const period = this.#period(step);
    const done = (step - this.#start(period)) / (firstDecaySteps * tMul ** period);
    const decayed = 0.5 * mMul ** period * (1 + Math.cos(Math.PI * done));
    return initialLearningRate * ((1 - alpha) * decayed + alpha);
  }

  /** The number of the period that `step` lies in, from 0. */
  #period(step: number): number {
    const { firstDecaySteps, tMul } = this.options;
    const periods = step / firstDecaySteps;
    const estimate = Math.floor(tMul === 1 ? periods : Math.log1p(periods * (tMul - 1)) / Math.log(tMul));
    // The logarithm is off by one at most, beside a restart; the starts decide.
    if (this.#start(estimate + 1) <= step) return estimate + 1;
    return this.#start(estimate) > step ? estimate - 1 : estimate;
  }

  /** The first step of a period: a sum of the geometric series of lengths. */
  #start(period: number): number {
    const { firstDecaySteps, tMul } = this.options;
    const start = firstDecaySteps * (tMul === 1 ? period : (tMul ** period - 1) / (tMul - 1));
    // 10 · (1.1² − 1) / 0.1 is 21 plus some rounding errors: the restart belongs to step 21, not to 22.
    const whole = Math.round(start);
    return Math.abs(start - whole) <= 1e-9 * whole ? whole : start;
  }
}
