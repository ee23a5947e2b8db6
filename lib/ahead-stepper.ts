/** Steps on a device that does them by itself: they are issued, and what they did is known later. */

import { indices } from "./blocks.js";
import { AdamWError } from "./errors.js";
import { native } from "./native.js";
import type { StepRates } from "./step-rates.js";
import type { StepReport } from "./step-report.js";
import { asArguments, type Step, Stepper } from "./stepper.js";

const { tables } = native;
const outsideWindow = indices(tables.report, "outsideWindow").outsideWindow;
const stepsAt = tables.counters.indexOf("steps");

export class AheadStepper extends Stepper {
  #report: StepReport | null = null;
  /** Steps issued so far, and of how many of them the report is. */
  #issued = 0;
  #reported = 0;
  #known = 0;
  /** With reportNorms: which parameters had a gradient, by row, in each step that is not reported yet. */
  readonly #present = new Map<number, readonly boolean[]>();

  get report(): StepReport | null {
    if (!this.isBusy) this.#takeReport();
    return this.#report;
  }

  get steps(): number {
    return this.settled.counters(new Float64Array(tables.counters.length))[stepsAt] as number;
  }

  get knownSteps(): number {
    if (!this.isBusy) this.#takeReport();
    return this.#known;
  }

  restart(steps: number): void {
    this.native.takeFailure(new Float64Array(tables.report.length), this.#sums());
    this.#takeReport();
    this.#known = steps;
  }

  run(step: Step): undefined {
    this.#issue(step);
    this.#releaseGradients();
  }

  async runAsync(step: Step): Promise<StepReport> {
    this.#issue(step);
    await this.whileBusy(this.native.waitAsync());
    this.#throwFailure();
    this.#takeReport();
    return this.#report as StepReport;
  }

  capture(step: Step): { prepare(): void; depart(): void } {
    this.bindings.prepare(step.gradients, this.options.zeroGradients);
    this.native.launch();
    const { version } = this.native;
    return {
      prepare: () => {
        if (this.native.version !== version) {
          const message =
            "Expected the optimizer as it was when its step was captured, but its settings have changed: capture it again";
          throw new AdamWError("INVALID_ARGUMENT", message);
        }
        this.#send(step, true);
      },
      depart: () => {
        this.native.depart();
        this.#count();
        this.#releaseGradients();
      },
    };
  }

  /**
   * After a step that nobody else waits for: under "throw" it zeroes the host's gradients or leaves them, and whoever
   * gets them back may write others.
   */
  #releaseGradients(): void {
    if (this.options.zeroGradients && this.options.nonFinite === "throw") this.native.releaseGradients();
  }

  /** Parameters in arrays of the host have their new values then. */
  settle(): void {
    this.makeWay();
    this.native.wait();
    this.#throwFailure();
  }

  /** Waiting brings the arrays of parameters up to date, but for those whose memory is gone. */
  makeWay(): void {
    for (const row of this.bindings.lostValues()) this.native.forget(row);
  }

  #issue(step: Step): void {
    this.#send(step, false);
    this.#count();
  }

  /** Gives the addon the step; one that is captured is launched by its graph. */
  #send(step: Step, isCaptured: boolean): void {
    const chosen = this.prepare(step, () => this.#foresee(step.rates));
    try {
      if (isCaptured) this.native.prepare(...asArguments(chosen));
      else this.native.issue(...asArguments(chosen));
    } catch (error) {
      this.bindings.suspect(chosen);
      throw error;
    }
    this.bindings.use(chosen);
  }

  #count(): void {
    this.#issued += 1;
    if (!this.options.reportNorms) return;
    this.#present.set(
      this.#issued,
      this.bindings.trained.map((_, row) => this.bindings.hasGradient(row)),
    );
  }

  /** The rates of every raw step that this one may turn out to be, as those under way are skipped or not. */
  #foresee(rates: StepRates): void {
    let count = this.native.foresee();
    // Whether a function is to be called depends on which of them it is.
    if (count > 1 && rates.isCalled && this.accumulation > 1) {
      this.settle();
      count = this.native.foresee();
    }
    const block = this.blocks.rates;
    const called = rates.isCalled ? this.#called(rates, block[0] as number) : undefined;
    for (let i = 0; i < 3 * count; i += 3) {
      const step = block[i] as number;
      block[i + 1] = called ?? rates.learningRateAt(step, false);
      block[i + 2] = rates.weightDecayAt(step);
    }
  }

  #called(rates: StepRates, step: number): number {
    return rates.learningRateAt(step, this.isMicroStep(step));
  }

  #takeReport(): void {
    const finished = this.native.finished();
    if (finished === this.#reported) return;
    this.#reported = finished;
    const present = this.#present.get(finished);
    this.#report = this.readReport((row) => present?.[row] ?? false);
    this.#known = this.#report.microStep;
    for (const step of this.#present.keys()) if (step <= finished) this.#present.delete(step);
  }

  #throwFailure(): void {
    const report = new Float64Array(tables.report.length);
    const sums = this.#sums();
    if (!this.native.takeFailure(report, sums)) return;
    if (report[outsideWindow] !== 1) throw this.nonFinite(sums);
    const message =
      "A step was launched for which no learning rate was foreseen, by something else than its graph; it was not taken";
    throw new AdamWError("SCHEDULE_WINDOW", message);
  }

  #sums(): Float64Array {
    return new Float64Array(this.bindings.trained.length);
  }
}
