/** Steps on a device that has done them when a call returns. */

import { controlAt, indices } from "./blocks.js";
import type { StepGradients } from "./gradients.js";
import { type NativeMemory, native } from "./native.js";
import type { StepReport } from "./step-report.js";
import { asArguments, type Step, Stepper } from "./stepper.js";

const stepsAt = indices(native.tables.report, "microStep").microStep;

export class DirectStepper extends Stepper {
  #report: StepReport | null = null;

  get report(): StepReport | null {
    return this.#report;
  }

  /** The newest step's report says it, so that no call into the addon is needed. */
  get steps(): number {
    return this.blocks.report[stepsAt] as number;
  }

  get knownSteps(): number {
    return this.steps;
  }

  restart(steps: number): void {
    this.blocks.report[stepsAt] = steps;
  }

  run(step: Step): StepReport {
    const chosen = this.#begin(step);
    try {
      // Spreading an array into a call takes 50 to 80 ns, as much as all else that a small step costs here.
      if (chosen === undefined) this.native.step();
      else if (chosen.length === 1) this.native.step(chosen[0] as NativeMemory | null);
      else this.native.step(...asArguments(chosen));
    } catch (error) {
      this.bindings.suspect(chosen);
      throw error;
    }
    this.bindings.use(chosen);
    return this.#finish();
  }

  async runAsync(step: Step): Promise<StepReport> {
    const done = this.#start(this.#begin(step));
    // The thread that does it is in the order of no stream.
    const release = this.bindings.hold();
    try {
      await this.whileBusy(done);
    } finally {
      release();
    }
    return this.#finish();
  }

  capture(step: Step): { prepare(): void; depart(): void } {
    const depart = () => {
      // The rates of other steps in the graph may have used this optimizer since it was asked.
      step.checkReady();
      this.run(step);
    };
    return { prepare: () => {}, depart };
  }

  settle(): void {}
  makeWay(): void {}

  #start(chosen: StepGradients): Promise<void> {
    try {
      const done = this.native.stepAsync(...asArguments(chosen));
      this.bindings.use(chosen);
      return done;
    } catch (error) {
      this.bindings.suspect(chosen);
      throw error;
    }
  }

  #begin(step: Step): StepGradients {
    return this.prepare(step, () => {
      const { controls } = this.blocks;
      const { steps } = this;
      controls[controlAt.learningRate] = step.rates.learningRateAt(steps, this.isMicroStep(steps));
      controls[controlAt.weightDecay] = step.rates.weightDecayAt(steps);
    });
  }

  #finish(): StepReport {
    const report = this.readReport((row) => this.bindings.hasGradient(row));
    if (report.finite === false && report.skipped && this.options.nonFinite === "throw") {
      throw this.nonFinite(this.native.rowSums(new Float64Array(this.bindings.trained.length)));
    }
    this.#report = report;
    return report;
  }
}
