import type { Fields } from "../fields.js";
import { ownSchedules } from "../keras-object.js";
import { boolean, fraction, integerFrom, nonNegative, oneOf, positive } from "../validate.js";
import { line, nameField, Schedule } from "./schedule.js";

export interface OneCycleOptions {
  /** The rate at the top of the cycle. */
  maxLearningRate: number;
  /** The number of steps of the whole cycle; the last rate is kept afterwards. */
  totalSteps: number;
  /** The part of the cycle in which the rate rises. @default 0.3 */
  pctStart?: number;
  /** The form of each phase. @default "cos" */
  annealStrategy?: "cos" | "linear";
  /** The first rate is `maxLearningRate / divFactor`. @default 25 */
  divFactor?: number;
  /** The last rate is the first one divided by `finalDivFactor`. @default 10000 */
  finalDivFactor?: number;
  /** Fall to the first rate as fast as the rate rose, and then to the last one. @default false */
  threePhase?: boolean;
  /** @default "OneCycle" */
  name?: string;
}

type Resolved = Required<OneCycleOptions>;

/** One phase: it ends at step `end` with rate `to`. */
interface Phase {
  readonly end: number;
  readonly to: number;
}

/**
 * The learning rate of the one-cycle policy of Smith & Topin 2018, arXiv:1708.07120, with the phases, the names and the
 * defaults of PyTorch's `OneCycleLR` (which also cycles the momentum; this does not).
 */
export class OneCycle extends Schedule<Resolved> {
  static override readonly name = "OneCycle";
  static readonly module = ownSchedules;
  static readonly fields: Fields<Resolved> = {
    maxLearningRate: { key: "max_learning_rate", kind: nonNegative },
    totalSteps: { key: "total_steps", kind: integerFrom(1) },
    pctStart: { key: "pct_start", kind: fraction, default: 0.3 },
    annealStrategy: { key: "anneal_strategy", kind: oneOf("cos", "linear"), default: "cos" },
    divFactor: { key: "div_factor", kind: positive, default: 25 },
    finalDivFactor: { key: "final_div_factor", kind: positive, default: 1e4 },
    threePhase: { key: "three_phase", kind: boolean, default: false },
    name: nameField("OneCycle"),
  };

  readonly #first: number;
  readonly #phases: readonly Phase[];

  constructor(options: OneCycleOptions) {
    super(OneCycle.fields, options);
    const { maxLearningRate, totalSteps, pctStart, divFactor, finalDivFactor, threePhase } = this.options;
    this.#first = maxLearningRate / divFactor;
    const rise = pctStart * totalSteps - 1;
    this.#phases = [
      { end: rise, to: maxLearningRate },
      ...(threePhase ? [{ end: 2 * rise, to: this.#first }] : []),
      { end: totalSteps - 1, to: this.#first / finalDivFactor },
    ];
  }

  protected override valueAt(step: number): number {
    let start = 0;
    let from = this.#first;
    for (const { end, to } of this.#phases) {
      // A phase shorter than a step (end <= start) is passed over: its end is the start of the next one.
      if (step <= end && end > start) return this.#anneal(from, to, (step - start) / (end - start));
      start = Math.max(start, end);
      from = to;
    }
    return from;
  }

  #anneal(from: number, to: number, t: number): number {
    return this.options.annealStrategy === "linear"
      ? line(from, to, t)
      : to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * t));
  }
}
