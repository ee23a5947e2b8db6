/** An optimizer between build and dispose: the addon's optimizer, the memory it is bound to, and its counts. */

import { AheadStepper } from "./ahead-stepper.js";
import type { Bindings } from "./bindings.js";
import { Blocks, pack } from "./blocks.js";
import { openStream, type Runtime } from "./device.js";
import { DeviceBuffer } from "./device-buffer.js";
import { DirectStepper } from "./direct-stepper.js";
import { accumulationSteps, type LossScaling, packPolicy, type Settings } from "./hyper.js";
import { type Layout, type NativeOptimizer, native } from "./native.js";
import type { ResolvedOptions } from "./options.js";
import { type Parameter, typesOf } from "./parameters.js";
import type { Rebindings } from "./rebinding.js";
import { Slots } from "./slots.js";
import type { StepReport } from "./step-report.js";
import type { Step, Stepper } from "./stepper.js";
import type { Stream } from "./stream.js";

/** The counts of native/rule/hyper.h: what an optimizer remembers besides its slots. */
export interface Counters {
  steps: number;
  skippedSteps: number;
  consecutiveSkips: number;
  lossScale: number;
  growthCounter: number;
}

const counterNames = native.tables.counters as readonly (keyof Counters)[];

export class Engine {
  /** The types of parameters, gradients and slots. */
  readonly layout: Layout;
  /** Where its work is put in order. */
  readonly stream: Stream;
  /** What it keeps for its parameters. */
  readonly slots: Slots;
  readonly #options: ResolvedOptions;
  readonly #bindings: Bindings;
  readonly #native: NativeOptimizer;
  readonly #stepper: Stepper;
  #lossScale: DeviceBuffer<"float32"> | undefined;

  constructor(options: ResolvedOptions, bindings: Bindings, runtime: Runtime, scaling: LossScaling) {
    const blocks = new Blocks();
    this.#options = options;
    this.#bindings = bindings;
    this.stream = openStream(runtime, bindings.memories());
    bindings.checkDevice(this.stream.device);
    this.#native = new native.Optimizer({
      stream: this.stream.native,
      threads: runtime.threads,
      offload: runtime.offload !== null,
      policy: packPolicy(options, scaling),
      lossScale: scaling.scale,
      ...typesOf(bindings.trained),
      parameters: bindings.trained,
      ...blocks,
    });
    this.layout = native.layouts[this.#native.layout] as Layout;
    bindings.layout = this.layout;
    const Way = this.#native.isAsynchronous ? AheadStepper : DirectStepper;
    this.#stepper = new Way(this.#native, blocks, bindings, options);
    this.slots = new Slots(this.layout.state, this.#stepper, bindings);
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

  /** Waits for the steps issued. @throws BUSY, and what went wrong in them */
  settle(): void {
    this.#stepper.checkIdle();
    this.#stepper.settle();
  }

  /** As settle(); parameters in arrays of the host have their values then. @throws DETACHED too */
  synchronize(): void {
    this.settle();
    this.#bindings.checkValues();
  }

  /** @throws BUSY while an asynchronous step runs */
  checkIdle(): void {
    this.#stepper.checkIdle();
  }

  /** What the newest step that is known to be done did; null before the first. */
  get report(): StepReport | null {
    return this.#stepper.report;
  }

  /** The report where the step is done on return. @throws what keeps it from being done; nothing has changed then */
  run(step: Step): StepReport | undefined {
    this.slots.isNew = false;
    return this.#stepper.run(step);
  }

  /** The same, with the event loop free until it is done. */
  runAsync(step: Step): Promise<StepReport> {
    this.slots.isNew = false;
    return this.#stepper.runAsync(step);
  }

  /**
   * Puts the step on the stream that is being captured; the first function goes before each launch, the second after.
   */
  capture(step: Step): { prepare(): void; depart(): void } {
    this.slots.isNew = false;
    return this.#stepper.capture(step);
  }

  /** Where the device keeps the loss scale of the coming step; undefined where steps are done on return. */
  get lossScaleBuffer(): DeviceBuffer<"float32"> | undefined {
    if (!this.#native.isAsynchronous) return undefined;
    const { device, stream } = this;
    const pointer = this.#native.lossScale;
    this.#lossScale ??= DeviceBuffer.fromPointer({ device, pointer, dtype: "float32", length: 1, owner: this, stream });
    return this.#lossScale;
  }

  /** Raw steps so far. */
  get steps(): number {
    return this.#stepper.steps;
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

  /**
   * Whether averages have begun when `steps` raw steps are done; before that they hold zeros. As decide() of
   * native/rule/control.h moves them: at the first update with `emaUpdates: "update"`, else at the first step.
   */
  hasAverages(steps = this.steps): boolean {
    return steps >= (this.#options.emaUpdates === "update" ? accumulationSteps(this.#options) : 1);
  }

  /** Updates that are known to be done, without waiting for any. */
  get knownIterations(): number {
    return Math.floor(this.#stepper.knownSteps / accumulationSteps(this.#options));
  }

  assign({ settings, assignment }: Settings): void {
    this.#stepper.idle.assign(settings, assignment);
  }

  setScaling(scaling: LossScaling): void {
    this.#stepper.idle.setPolicy(packPolicy(this.#options, scaling));
    this.counters = { ...this.counters, lossScale: scaling.scale };
  }

  /**
   * Points parameters at other memory, of the right types and lengths.
   *
   * @throws DEVICE_MISMATCH; nothing changes then
   */
  bind(changes: Rebindings): void {
    const native = this.#stepper.idle;
    this.#bindings.check(changes);
    for (const [parameter, memory] of changes) {
      const row = this.#bindings.expect(parameter, memory);
      try {
        if (row !== undefined) native.bind(row, memory.value, memory.gradient);
      } catch (error) {
        this.#bindings.suspect([]);
        throw error;
      }
      this.#bindings.rebind(parameter, memory);
    }
  }

  /** For values written into the parameters' arrays: a device with memory of its own works on copies. */
  takeValues(): void {
    const native = this.#stepper.idle;
    for (const [row, { value }] of this.trained.entries()) native.bind(row, value, undefined);
  }

  /**
   * For benchmarks: the memory traffic of a step and nothing else; on a GPU it is put on the stream. False: the device
   * cannot do that.
   */
  streamPass(): boolean {
    return this.#stepper.idle.streamPass();
  }

  get counters(): Counters {
    const block = this.#stepper.settled.counters(new Float64Array(counterNames.length));
    return Object.fromEntries(counterNames.map((name, i) => [name, block[i]])) as unknown as Counters;
  }

  set counters(counters: Counters) {
    this.#stepper.idle.setCounters(pack(counterNames, { ...counters }));
    this.#stepper.restart(counters.steps);
  }

  /** Real updates each trained parameter took part in: PyTorch's per-parameter step. */
  get updates(): Float64Array {
    return this.#stepper.settled.updates(new Float64Array(this.trained.length));
  }

  set updates(updates: Float64Array) {
    this.#stepper.idle.setUpdates(updates);
  }

  /** Parameters and averages trade places. @throws BUSY, DETACHED */
  exchangeEma(): void {
    this.#bindings.checkValues();
    this.slots.isNew = false;
    this.#stepper.settled.exchangeEma();
  }

  /** Parameters, slots and counts were all set anew: what failed half-way before is of no account. @throws BUSY */
  mend(): void {
    this.#stepper.idle.mend();
  }

  /** Parameters become their averages. @throws BUSY, DETACHED */
  applyEma(): void {
    this.#bindings.checkValues();
    this.#stepper.settled.applyEma();
  }

  /** Parameters in arrays of the host get what the steps issued make of them first. */
  dispose(): void {
    const native = this.#stepper.idle;
    try {
      native.wait();
    } finally {
      native.dispose();
    }
  }
}
