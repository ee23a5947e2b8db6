/** The learning rate and the weight decay that a step works with. */

import type { LearningRate, ResolvedOptions } from "./options.js";
import { rateAt, replaceRate } from "./rates.js";

export class StepRates {
  readonly #weightDecay: ResolvedOptions["weightDecay"];
  #learningRate: LearningRate;

  constructor({ learningRate, weightDecay }: Pick<ResolvedOptions, "learningRate" | "weightDecay">) {
    this.#learningRate = learningRate;
    this.#weightDecay = weightDecay;
  }

  /** As it was given. */
  get learningRate(): LearningRate {
    return this.#learningRate;
  }

  /** By Keras' rules of what can replace what. @throws INVALID_ARGUMENT */
  replaceLearningRate(rate: LearningRate): void {
    this.#learningRate = replaceRate(this.#learningRate, rate);
  }

  /** For state that is restored: a number in place of a number. */
  restoreLearningRate(rate: number): void {
    this.#learningRate = rate;
  }

  /** The rate of the coming step; `steps` says which that is, where the rate depends on it. @throws INVALID_ARGUMENT */
  current(steps: () => number): number {
    const depends = typeof this.#learningRate === "object";
    return rateAt(this.#learningRate, depends ? steps() : 0, "learningRate");
  }

  /** Whether no code of the caller runs to find them out. */
  get isFixed(): boolean {
    return typeof this.#learningRate === "number" && typeof this.#weightDecay === "number";
  }

  /** Whether the learning rate depends on the moment at which it is asked for, not on the step. */
  get isCalled(): boolean {
    return typeof this.#learningRate === "function";
  }

  /**
   * For raw step `step`; NaN on a micro-step for a function, which is called once for each update.
   *
   * @throws INVALID_ARGUMENT
   */
  learningRateAt(step: number, isMicroStep: boolean): number {
    return isMicroStep && this.isCalled ? Number.NaN : rateAt(this.#learningRate, step, "learningRate");
  }

  /** For raw step `step`. @throws INVALID_ARGUMENT */
  weightDecayAt(step: number): number {
    return rateAt(this.#weightDecay, step, "weightDecay");
  }
}
