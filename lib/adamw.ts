/** The optimizer. */

import { configToOptions, optionsToConfig } from "./config.js";
import { Core } from "./core.js";
import type { RuntimeOptions } from "./device.js";
import type { DeviceBuffer } from "./device-buffer.js";
import { invalid } from "./errors.js";
import type { WeightDecayExclusions } from "./exclusions.js";
import { type Gradients, givenGradients } from "./gradients.js";
import { inspection, shownAs } from "./inspection.js";
import { type CustomObjects, kerasOptimizers, serialize } from "./keras-object.js";
import { type AdamWOptions, type LearningRate, resolveOptions } from "./options.js";
import type { Parameter, ParameterInit } from "./parameters.js";
import { type OptimizerPlan, type PlannedParameter, planMemory } from "./plan.js";
import { parseRebindings, type Rebinding } from "./rebinding.js";
import type { FilePath } from "./state/file-path.js";
import { type LoadOptions, type LoadReport, loadOptimizer } from "./state/load.js";
import { type SaveOptions, type SaveReport, saveOptimizer } from "./state/save.js";
import { type AsyncStepOptions, parseAsyncStepOptions, parseStepOptions, type StepOptions } from "./step-options.js";
import type { StepReport } from "./step-report.js";
import { describeVariable, type Variable, writeVariables } from "./variables.js";

/** The parts of an optimizer, for what is wrapped around it. */
export const coreOf = Symbol("coreOf");

/**
 * Keras' AdamW: decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101) over Adam (Kingma & Ba 2015,
 * arXiv:1412.6980), with Keras' whole optimizer around it, as one fused native step.
 *
 * @example
 * const optimizer = new AdamW({ learningRate: 1e-3, globalClipnorm: 1 });
 * optimizer.build([{ name: "dense/kernel", shape: [784, 10], value: kernel }]);
 * const report = optimizer.apply([kernelGradient]);
 */
export class AdamW {
  static readonly module = kerasOptimizers;
  static {
    Object.defineProperty(this, "name", { value: "AdamW" });
  }

  readonly [coreOf]: Core;

  /** @throws INVALID_ARGUMENT for unknown options and wrong values */
  constructor(options: AdamWOptions = {}, runtime: RuntimeOptions = {}) {
    this[coreOf] = new Core(options, runtime);
  }

  /** The bytes each kind of memory will take for these parameters, before anything is allocated. */
  static plan(options: AdamWOptions, parameters: readonly PlannedParameter[]): OptimizerPlan {
    return planMemory(resolveOptions(options), parameters);
  }

  get name(): string {
    return this[coreOf].options.name;
  }

  get built(): boolean {
    const { lifecycle } = this[coreOf];
    return !lifecycle.disposed && lifecycle.engine !== undefined;
  }

  /** The device that computes. @throws NOT_BUILT */
  get device(): string {
    return this[coreOf].lifecycle.built.device;
  }

  /** The built parameters, in order; rebind() alone changes their memory. @throws NOT_BUILT */
  get parameters(): readonly Readonly<Parameter>[] {
    return this[coreOf].lifecycle.built.parameters.map((parameter) => Object.freeze({ ...parameter }));
  }

  /**
   * Takes the parameters, which every step then updates in place, and allocates the state.
   *
   * @throws ALREADY_BUILT, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NO_DEVICE, OUT_OF_MEMORY
   */
  build(parameters: readonly ParameterInit[]): this {
    this[coreOf].build(parameters);
    return this;
  }

  /**
   * Gives parameters other memory of the same length; the state stays. What is absent stays bound. While averages are
   * swapped in, new memory must hold what the old memory held: restoreEma() makes it the average.
   *
   * @throws NOT_BUILT, BUSY, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, DEVICE_MISMATCH; nothing changes then
   */
  rebind(bindings: readonly Rebinding[]): void {
    const { lifecycle } = this[coreOf];
    const changes = parseRebindings(lifecycle.built.parameters, bindings, lifecycle.built.layout);
    lifecycle.idle.bind(changes);
  }

  /**
   * One step with these gradients: one entry per parameter, null for none, or an object by name. On a CPU device it is
   * done on return; on a GPU that has the state it is issued, and the report comes later: `report`, or the Async forms.
   *
   * @throws NOT_BUILT, BUSY, DISPOSED, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NON_FINITE; the state is untouched
   *   then
   */
  apply(gradients: Gradients, options?: StepOptions): StepReport | undefined {
    return this[coreOf].step(givenGradients(gradients, "step"), parseStepOptions(options));
  }

  /** As apply(), with the gradients bound at build. */
  step(options?: StepOptions): StepReport | undefined {
    return this[coreOf].step(undefined, parseStepOptions(options));
  }

  /**
   * As apply(), off the event loop. The memory of parameters and gradients must stay until the promise settles.
   *
   * @throws NOT_SHAREABLE too, for arrays over resizable ArrayBuffers
   */
  async applyAsync(gradients: Gradients, options?: AsyncStepOptions): Promise<StepReport> {
    return this[coreOf].stepAsync(givenGradients(gradients, "stepAsync"), parseAsyncStepOptions(options));
  }

  /** As step(), off the event loop. @throws NOT_SHAREABLE too, as applyAsync() */
  async stepAsync(options?: AsyncStepOptions): Promise<StepReport> {
    return this[coreOf].stepAsync(undefined, parseAsyncStepOptions(options));
  }

  /** What the newest finished step did; null before the first. */
  get report(): StepReport | null {
    return this[coreOf].lifecycle.engine?.report ?? null;
  }

  /** Updates so far: raw steps // accumulation steps. 0 before build. @throws DISPOSED */
  get iterations(): number {
    return this[coreOf].lifecycle.engine?.iterations ?? 0;
  }

  /** The learning rate of the coming step. A number cannot replace a schedule or a function, as in Keras. */
  get learningRate(): number {
    const { lifecycle, rates } = this[coreOf];
    const { engine } = lifecycle;
    return rates.current(() => engine?.steps ?? 0);
  }

  set learningRate(rate: LearningRate) {
    const { lifecycle, rates } = this[coreOf];
    lifecycle.checkAlive();
    lifecycle.checkHeld();
    rates.replaceLearningRate(rate);
  }

  /**
   * What the coming step divides the gradients by. On a GPU one that adapts is a buffer of one element there, to scale
   * with it on the device without waiting. @throws DISPOSED, and BUSY while a step may change it
   */
  get lossScale(): number | DeviceBuffer<"float32"> {
    const { engine, scale } = this[coreOf].scaling;
    return engine ? (engine.lossScaleBuffer ?? engine.counters.lossScale) : scale;
  }

  /**
   * The loss to differentiate: multiplied with the loss scale that steps divide the gradients by. Waits for the steps
   * issued.
   */
  scaleLoss(loss: number): number {
    if (typeof loss !== "number") throw invalid("loss", "a number", loss);
    const { engine, scale } = this[coreOf].scaling;
    return loss * (engine ? engine.counters.lossScale : scale);
  }

  /**
   * Leaves parameters out of weight decay, before or after build. A call replaces earlier ones.
   *
   * @throws INVALID_ARGUMENT
   */
  excludeFromWeightDecay(exclusions: WeightDecayExclusions): void {
    this[coreOf].exclude(exclusions);
  }

  /** Parameters become their moving averages, as at the end of Keras' fit(). Nothing where there are none. */
  finalizeVariableValues(): void {
    this[coreOf].lifecycle.averages?.finalize();
  }

  /**
   * Parameters and their averages trade places, to evaluate with the averages; restoreEma() trades them back. Steps
   * in between are an error.
   *
   * @throws INVALID_ARGUMENT without useEma, when they are swapped already, and before they have begun: at the first
   *   step, with `emaUpdates: "update"` at the first update
   */
  swapEma(): void {
    this[coreOf].averages.swap();
  }

  /** Undoes swapEma(). @throws INVALID_ARGUMENT when there is none */
  restoreEma(): void {
    this[coreOf].averages.restore();
  }

  /** The state as Keras lists it. @throws NOT_BUILT, BUSY */
  get variables(): Variable[] {
    return this[coreOf].variables.map(describeVariable);
  }

  /**
   * Sets the whole state from a list like `variables`.
   *
   * @throws INVALID_ARGUMENT, LENGTH_MISMATCH when it differs in count, order, paths, shapes or types; nothing changes
   *   then
   */
  setWeights(weights: readonly Variable[]): void {
    writeVariables(this[coreOf].variables, weights);
  }

  /** Keras' configuration, key for key; keys beyond Keras only where they are not the default. */
  getConfig(): Record<string, unknown> {
    const { options, rates, exclusions } = this[coreOf];
    return optionsToConfig(options, { learningRate: rates.learningRate, excludeFromWeightDecay: exclusions });
  }

  /** The optimizer that a configuration stands for; `config` is not changed. @throws INVALID_ARGUMENT */
  static fromConfig(config: unknown, runtime: RuntimeOptions & { customObjects?: CustomObjects } = {}): AdamW {
    const { customObjects = {}, ...rest } = runtime;
    return new this(configToOptions(config, customObjects), rest);
  }

  /**
   * Writes the state to a file, atomically.
   *
   * @throws NOT_BUILT, BUSY, INVALID_ARGUMENT, FILE, ABORTED
   */
  async save(path: FilePath, options?: SaveOptions): Promise<SaveReport> {
    return saveOptimizer(
      this[coreOf].state("save", () => serialize(this)),
      path,
      options,
    );
  }

  /**
   * Sets the state from a file, all of it or, on any error, nothing.
   *
   * @throws NOT_BUILT, BUSY, CHECKPOINT, INVALID_ARGUMENT, FILE, ABORTED
   */
  async load(path: FilePath, options?: LoadOptions): Promise<LoadReport> {
    return loadOptimizer(
      this[coreOf].state("load", () => serialize(this)),
      path,
      options,
    );
  }

  /**
   * Waits until every step issued is done; on CPU devices it is. Then parameters in arrays of the host are up to date
   * on every device.
   *
   * @throws BUSY while an asynchronous step runs; what went wrong in a step that was issued: NON_FINITE, CUDA; DETACHED
   */
  synchronize(): void {
    this[coreOf].lifecycle.idle.synchronize();
  }

  /** Frees the state. Parameters stay as they are. @throws BUSY */
  dispose(): void {
    this[coreOf].lifecycle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  [inspection](): object {
    return shownAs(this.constructor.name, () => this[coreOf].summary);
  }
}
