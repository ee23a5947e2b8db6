/** What every way of doing steps has: the addon's optimizer, the blocks of numbers shared with it, and its reports. */

import type { Bindings } from "./bindings.js";
import { type Blocks, controlAt } from "./blocks.js";
import { AdamWError, some } from "./errors.js";
import type { GradientList, StepGradients } from "./gradients.js";
import { accumulationSteps } from "./hyper.js";
import type { NativeGradients, NativeOptimizer } from "./native.js";
import type { ResolvedOptions } from "./options.js";
import type { StepRates } from "./step-rates.js";
import { readReport, type StepReport } from "./step-report.js";

/** One step to be done. */
export interface Step {
  /** Undefined: those that are bound. */
  readonly gradients: GradientList | undefined;
  readonly rates: StepRates;
  readonly gradientScale: number;
  /** Whether it is done, or waited for, on another thread. */
  readonly isAsync: boolean;
  /** @throws what keeps the optimizer from doing it */
  checkReady(): void;
  /** Keeps everything else out of the optimizer until the returned function is called. */
  hold(): () => void;
}

const none: NativeGradients = [];
/** Arguments take stack. */
const mostArguments = 1024;

export function asArguments(gradients: StepGradients): NativeGradients {
  if (gradients === undefined) return none;
  return gradients.length <= mostArguments ? gradients : [gradients];
}

export abstract class Stepper {
  protected readonly native: NativeOptimizer;
  protected readonly blocks: Blocks;
  protected readonly bindings: Bindings;
  protected readonly options: ResolvedOptions;
  protected readonly accumulation: number;
  #busy = false;

  constructor(native: NativeOptimizer, blocks: Blocks, bindings: Bindings, options: ResolvedOptions) {
    this.native = native;
    this.blocks = blocks;
    this.bindings = bindings;
    this.options = options;
    this.accumulation = accumulationSteps(options);
  }

  /** What the newest step that is known to be done did; null before the first. */
  abstract readonly report: StepReport | null;
  /** The report where the step is done on return. @throws what keeps it from being done; nothing has changed then */
  abstract run(step: Step): StepReport | undefined;
  /** The same, with the event loop free until it is done. */
  abstract runAsync(step: Step): Promise<StepReport>;
  /** Puts the step on a stream that is being captured; the first function goes before each launch, the second after. */
  abstract capture(step: Step): { prepare(): void; depart(): void };
  /** Raw steps so far, of those issued too: waits for them. */
  abstract readonly steps: number;
  /** Raw steps that are known to be done, without waiting for any. */
  abstract readonly knownSteps: number;
  /** The counts have been set. */
  abstract restart(steps: number): void;
  /** Waits for the steps issued. @throws what went wrong in them */
  abstract settle(): void;
  /** Before anything else is done with the addon's optimizer. */
  abstract makeWay(): void;

  /** The addon's optimizer, which an unfinished step has for itself. @throws BUSY */
  get idle(): NativeOptimizer {
    this.checkIdle();
    this.makeWay();
    return this.native;
  }

  /** The same, when the steps issued are done. @throws BUSY, and what went wrong in them */
  get settled(): NativeOptimizer {
    this.checkIdle();
    this.settle();
    return this.native;
  }

  /** @throws BUSY while an asynchronous step runs */
  checkIdle(): void {
    if (this.#busy) throw new AdamWError("BUSY", "An asynchronous step has not finished: await it first");
  }

  protected async whileBusy(done: Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await done;
    } finally {
      this.#busy = false;
    }
  }

  protected get isBusy(): boolean {
    return this.#busy;
  }

  /**
   * The gradients to step with, checked together with the parameters' memory; `evaluate` finds out the rates. The code
   * behind a rate may do anything but use the optimizer, such as grow the WebAssembly memory that the parameters are
   * in.
   */
  protected prepare(step: Step, evaluate: () => void): StepGradients {
    const chosen = this.#check(step);
    this.blocks.controls[controlAt.gradientScale] = step.gradientScale;
    if (step.rates.isFixed) {
      evaluate();
      return chosen;
    }
    const release = step.hold();
    try {
      evaluate();
    } finally {
      release();
    }
    return this.#check(step);
  }

  #check({ gradients, isAsync }: Step): StepGradients {
    const chosen = this.bindings.prepare(gradients, this.options.zeroGradients);
    if (isAsync) this.bindings.checkFixed(chosen);
    return chosen;
  }

  /** Whether raw step `step` only accumulates: `is_micro_step` of native/rule/control.h. */
  protected isMicroStep(step: number): boolean {
    return (step + 1) % this.accumulation !== 0;
  }

  /** The report in the block; `hasGradient` says which parameters had one, by row. */
  protected readReport(hasGradient: (row: number) => boolean): StepReport {
    const report = readReport(this.blocks.report, this.accumulation);
    return this.options.reportNorms && !report.isMicroStep
      ? { ...report.fields, parameterNorms: this.#parameterNorms(hasGradient) }
      : report.fields;
  }

  /** L2 norms of the reported step's unscaled, averaged gradients. */
  #parameterNorms(hasGradient: (row: number) => boolean): Float64Array {
    const sums = this.native.rowSums(new Float64Array(this.bindings.trained.length));
    return Float64Array.from(this.bindings.parameters, (parameter) => {
      const row = this.bindings.rowOf(parameter);
      if (row === undefined || !hasGradient(row)) return Number.NaN;
      return Math.sqrt(sums[row] as number) / this.accumulation;
    });
  }

  /** The error of `nonFinite: "throw"`. */
  protected nonFinite(sums: Float64Array): AdamWError {
    const names = this.bindings.trained.filter((_, row) => !Number.isFinite(sums[row])).map(({ name }) => name);
    return new AdamWError("NON_FINITE", `The gradients of ${some(names)} are not finite; nothing was changed`);
  }
}
