/** An optimizer between build and dispose: the addon's optimizer, the memory it is bound to, and its counts. */

import type { Bindings } from "./bindings.js";
import type { Runtime } from "./device.js";
import { AdamWError } from "./errors.js";
import type { Gradients, StepGradients } from "./gradients.js";
import { accumulationSteps, type LossScaling, packPolicy, type Settings } from "./hyper.js";
import { deviceOf } from "./memory.js";
import { indices, type NativeGradients, type NativeOptimizer, native, pack } from "./native.js";
import type { ResolvedOptions } from "./options.js";
import type { Parameter } from "./parameters.js";
import type { Memory } from "./rebinding.js";
import { readReport, type StepReport } from "./step-report.js";

/** What changes from step to step, as the block Controls. */
export interface Controls {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly gradientScale: number;
}

/** The counts of native/rule/hyper.h: what an optimizer remembers besides its slots. */
export interface Counters {
  steps: number;
  skippedSteps: number;
  consecutiveSkips: number;
  lossScale: number;
  growthCounter: number;
}

/** What the addon keeps per parameter. */
export type SlotName = "moment1" | "moment2" | "maxMoment2" | "ema" | "accumulator";

const { tables } = native;
const controlAt = indices(tables.controls, "learningRate", "weightDecay", "gradientScale");
const stepsAt = indices(tables.report, "microStep").microStep;
const counterNames = tables.counters as readonly (keyof Counters)[];

const none: NativeGradients = [];
/** Arguments take stack. */
const mostArguments = 1024;

function asArguments(gradients: StepGradients): NativeGradients {
  if (gradients === undefined) return none;
  return gradients.length <= mostArguments ? gradients : [gradients];
}

export class Engine {
  readonly #options: ResolvedOptions;
  readonly #bindings: Bindings;
  readonly #native: NativeOptimizer;
  readonly #controls = new Float64Array(tables.controls.length);
  readonly #report = new Float64Array(tables.report.length);
  #busy = false;

  constructor(options: ResolvedOptions, bindings: Bindings, { device, threads }: Runtime, scaling: LossScaling) {
    this.#options = options;
    this.#bindings = bindings;
    this.#native = new native.Optimizer({
      // Arrays of the host are updated where they are, beside a GPU too; a device that is named gets copies of them.
      device: device === "auto" ? (deviceOf(bindings.memories()) ?? "cpu") : device,
      threads,
      policy: packPolicy(options, scaling),
      lossScale: scaling.scale,
      parameters: bindings.trained,
      controls: this.#controls,
      report: this.#report,
    });
    try {
      bindings.checkDevice(this.device);
    } catch (error) {
      this.#native.dispose();
      throw error;
    }
  }

  /** All parameters, frozen ones too. */
  get parameters(): readonly Parameter[] {
    return this.#bindings.parameters;
  }

  /** Those that take part. */
  get trained(): readonly Parameter[] {
    return this.#bindings.trained;
  }

  get device(): string {
    return this.#native.device;
  }

  /** The addon's optimizer, which an unfinished step has for itself. @throws BUSY */
  #idle(): NativeOptimizer {
    if (this.#busy) throw new AdamWError("BUSY", "An asynchronous step has not finished: await it first");
    return this.#native;
  }

  /** @throws BUSY while an asynchronous step runs */
  checkIdle(): void {
    this.#idle();
  }

  /** Raw steps so far. */
  get steps(): number {
    return this.#report[stepsAt] as number;
  }

  /** PyTorch's per-parameter counts, which Keras' list of variables has no place for, follow the count. */
  set steps(steps: number) {
    this.counters = { ...this.counters, steps };
    this.updates = new Float64Array(this.trained.length).fill(this.iterations);
  }

  /** Updates so far. */
  get iterations(): number {
    return Math.floor(this.steps / accumulationSteps(this.#options));
  }

  /** Whether the coming step only accumulates. */
  get isMicroStep(): boolean {
    return (this.steps + 1) % accumulationSteps(this.#options) !== 0;
  }

  assign({ settings, assignment }: Settings): void {
    this.#idle().assign(settings, assignment);
  }

  setScaling(scaling: LossScaling): void {
    this.#idle().setPolicy(packPolicy(this.#options, scaling));
    this.counters = { ...this.counters, lossScale: scaling.scale };
  }

  /** Points a parameter at other memory, which was checked. */
  bind(parameter: Parameter, memory: Partial<Memory>): void {
    const native = this.#idle();
    const row = this.#bindings.rebind(parameter, memory);
    if (row !== undefined) native.bind(row, memory.value, memory.gradient);
  }

  /** For values written into the parameters' arrays: a device with memory of its own works on copies. */
  takeValues(): void {
    const native = this.#idle();
    for (const [row, { value }] of this.trained.entries()) native.bind(row, value, undefined);
  }

  /** The gradients to step with, checked together with the parameters' memory; nothing changes yet. */
  prepare(gradients: Gradients | undefined): StepGradients {
    return this.#bindings.prepare(gradients, this.#options.zeroGradients);
  }

  /** For benchmarks: the memory traffic of a step and nothing else. False: the device cannot do that. */
  streamPass(): boolean {
    return this.#idle().streamPass();
  }

  run(gradients: StepGradients, controls: Controls): StepReport {
    const micro = this.isMicroStep;
    this.#begin(gradients, controls);
    this.#idle().step(...asArguments(gradients));
    return this.#finish(micro);
  }

  async runAsync(gradients: StepGradients, controls: Controls): Promise<StepReport> {
    const micro = this.isMicroStep;
    this.#begin(gradients, controls);
    const done = this.#idle().stepAsync(...asArguments(gradients));
    this.#busy = true;
    try {
      await done;
    } finally {
      this.#busy = false;
    }
    return this.#finish(micro);
  }

  #begin(gradients: StepGradients, controls: Controls): void {
    if (gradients !== undefined) this.#bindings.use(gradients);
    this.#controls[controlAt.learningRate] = controls.learningRate;
    this.#controls[controlAt.weightDecay] = controls.weightDecay;
    this.#controls[controlAt.gradientScale] = controls.gradientScale;
  }

  #finish(micro: boolean): StepReport {
    const parameterNorms = this.#options.reportNorms && !micro ? this.#parameterNorms() : undefined;
    const report = readReport(this.#report, micro, parameterNorms);
    if (report.finite === false && report.skipped && this.#options.nonFinite === "throw") throw this.#nonFinite();
    return report;
  }

  /** The error of `nonFinite: "throw"`, after undoing the only thing a step that is not taken changes: its count. */
  #nonFinite(): AdamWError {
    const { skippedSteps, consecutiveSkips, ...rest } = this.counters;
    this.counters = { ...rest, skippedSteps: skippedSteps - 1, consecutiveSkips: consecutiveSkips - 1 };
    const sums = this.#rowSums();
    const names = this.trained.filter((_, row) => !Number.isFinite(sums[row])).map(({ name }) => name);
    const shown = names.slice(0, 4).join(", ") + (names.length > 4 ? ` and ${names.length - 4} more` : "");
    return new AdamWError("NON_FINITE", `The gradients of ${shown} are not finite; nothing was changed`);
  }

  #rowSums(): Float64Array {
    return this.#idle().rowSums(new Float64Array(this.trained.length));
  }

  /** L2 norms of the newest step's unscaled, averaged gradients. */
  #parameterNorms(): Float64Array {
    const sums = this.#rowSums();
    const length = accumulationSteps(this.#options);
    return Float64Array.from(this.parameters, (parameter) => {
      const row = this.#bindings.rowOf(parameter);
      if (row === undefined || !this.#bindings.hasGradient(row)) return Number.NaN;
      return Math.sqrt(sums[row] as number) / length;
    });
  }

  get counters(): Counters {
    const block = this.#idle().counters(new Float64Array(counterNames.length));
    return Object.fromEntries(counterNames.map((name, i) => [name, block[i]])) as unknown as Counters;
  }

  set counters(counters: Counters) {
    this.#idle().setCounters(pack(counterNames, { ...counters }));
    this.#report[stepsAt] = counters.steps;
  }

  /** Real updates each trained parameter took part in: PyTorch's per-parameter step. */
  get updates(): Float64Array {
    return this.#idle().updates(new Float64Array(this.trained.length));
  }

  set updates(updates: Float64Array) {
    this.#idle().setUpdates(updates);
  }

  /** A copy of a slot, or into `to` its elements from `offset` on. */
  readSlot(
    parameter: Parameter,
    slot: SlotName,
    to: Float32Array = new Float32Array(parameter.length),
    offset?: number,
  ): Float32Array {
    return this.#idle().readSlot(this.#row(parameter), tables.slots.indexOf(slot), to, offset);
  }

  /** Sets a slot, or its elements from `offset` on. */
  writeSlot(parameter: Parameter, slot: SlotName, value: Float32Array, offset?: number): void {
    this.#idle().writeSlot(this.#row(parameter), tables.slots.indexOf(slot), value, offset);
  }

  #row(parameter: Parameter): number {
    return this.#bindings.rowOf(parameter) ?? -1;
  }

  /** Parameters and averages trade places. @throws BUSY, DETACHED */
  exchangeEma(): void {
    this.#bindings.checkValues();
    this.#idle().exchangeEma();
  }

  /** Parameters become their averages. @throws BUSY, DETACHED */
  applyEma(): void {
    this.#bindings.checkValues();
    this.#idle().applyEma();
  }

  dispose(): void {
    this.#idle().dispose();
  }
}
