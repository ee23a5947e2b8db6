/** The optimizer. */

import type { Averages } from "./averages.js";
import { Bindings } from "./bindings.js";
import { configToOptions, optionsToConfig } from "./config.js";
import { parseRuntime, type Runtime, type RuntimeOptions } from "./device.js";
import type { DeviceBuffer } from "./device-buffer.js";
import { Engine } from "./engine.js";
import { AdamWError, invalid } from "./errors.js";
import { exclusionsKind, nameExclusions, type WeightDecayExclusions } from "./exclusions.js";
import { type Gradients, givenGradients } from "./gradients.js";
import { type LossScaling, packSettings, resolveFrozen } from "./hyper.js";
import { type CustomObjects, kerasOptimizers, serialize } from "./keras-object.js";
import { Lifecycle } from "./lifecycle.js";
import { type AdamWOptions, type LearningRate, type ResolvedOptions, resolveOptions } from "./options.js";
import { type Parameter, type ParameterInit, parseParameters } from "./parameters.js";
import { type OptimizerPlan, type PlannedParameter, planMemory } from "./plan.js";
import { parseRebindings, type Rebinding } from "./rebinding.js";
import { type LoadOptions, type LoadReport, loadOptimizer } from "./state/load.js";
import type { OptimizerState } from "./state/optimizer-state.js";
import { type SaveOptions, type SaveReport, saveOptimizer } from "./state/save.js";
import { type AsyncStepOptions, parseAsyncStepOptions, parseStepOptions, type StepOptions } from "./step-options.js";
import { StepRates } from "./step-rates.js";
import type { StepReport } from "./step-report.js";
import type { Step } from "./stepper.js";
import { type CapturedStep, capturing, refuseCapture } from "./stream.js";
import { parse } from "./validate.js";
import {
  describeVariable,
  optimizerVariables,
  type Variable,
  type VariableSource,
  writeVariables,
} from "./variables.js";

/** For LossScaleOptimizer: takes over the loss scale of an optimizer, built or not. */
export const takeScaling = Symbol("takeScaling");
/** For LossScaleOptimizer: the engine of a built optimizer, and the variables it lists before its own. */
export const engineOf = Symbol("engineOf");
export const variablesOf = Symbol("variablesOf");
/** For LossScaleOptimizer: what saving and loading need of a built optimizer. */
export const stateOf = Symbol("stateOf");

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

  readonly #options: ResolvedOptions;
  readonly #runtime: Runtime;
  readonly #rates: StepRates;
  #exclusions: WeightDecayExclusions | null;
  #scaling: LossScaling;
  readonly #lifecycle = new Lifecycle();

  /** @throws INVALID_ARGUMENT for unknown options and wrong values */
  constructor(options: AdamWOptions = {}, runtime: RuntimeOptions = {}) {
    this.#options = resolveOptions(options);
    this.#runtime = parseRuntime(runtime);
    this.#rates = new StepRates(this.#options);
    this.#exclusions = this.#options.excludeFromWeightDecay;
    this.#scaling = { scale: this.#options.lossScaleFactor ?? 1 };
  }

  /** The bytes each kind of memory will take for these parameters, before anything is allocated. */
  static plan(options: AdamWOptions, parameters: readonly PlannedParameter[]): OptimizerPlan {
    return planMemory(resolveOptions(options), parameters);
  }

  get name(): string {
    return this.#options.name;
  }

  get built(): boolean {
    return !this.#lifecycle.disposed && this.#lifecycle.engine !== undefined;
  }

  /** The device that computes. @throws NOT_BUILT */
  get device(): string {
    return this.#lifecycle.built.device;
  }

  /** The built parameters, in order; rebind() alone changes their memory. @throws NOT_BUILT */
  get parameters(): readonly Readonly<Parameter>[] {
    return this.#lifecycle.built.parameters.map((parameter) => Object.freeze({ ...parameter }));
  }

  /**
   * Takes the parameters, which every step then updates in place, and allocates the state.
   *
   * @throws ALREADY_BUILT, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NO_DEVICE, OUT_OF_MEMORY
   */
  build(parameters: readonly ParameterInit[]): this {
    if (this.#lifecycle.engine) {
      throw new AdamWError("ALREADY_BUILT", "The optimizer has its parameters; rebind() gives them other memory");
    }
    const parsed = parseParameters(parameters);
    const frozen = resolveFrozen(this.#options, parsed);
    if (!frozen.includes(false))
      throw invalid("groups", "groups that leave a parameter unfrozen", this.#options.groups);
    const settings = packSettings(this.#options, this.#exclusions, parsed);
    const engine = new Engine(this.#options, new Bindings(parsed, frozen), this.#runtime, this.#scaling);
    engine.assign(settings);
    this.#lifecycle.start(engine, this.#options.useEma);
    this.#exclusions &&= nameExclusions(this.#exclusions, parsed);
    return this;
  }

  /**
   * Gives parameters other memory of the same length; the state stays. What is absent stays bound.
   *
   * @throws NOT_BUILT, BUSY, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
   */
  rebind(bindings: readonly Rebinding[]): void {
    const engine = this.#lifecycle.idle;
    for (const [parameter, memory] of parseRebindings(engine.parameters, bindings)) engine.bind(parameter, memory);
  }

  /**
   * One step with these gradients: one entry per parameter, null for none, or an object by name. On a CPU device it is
   * done on return; on a GPU it is issued, and the report comes later: `report`, or the Async forms.
   *
   * @throws NOT_BUILT, BUSY, DISPOSED, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NON_FINITE; the state is untouched then
   */
  apply(gradients: Gradients, options?: StepOptions): StepReport | undefined {
    return this.#stepNow(givenGradients(gradients, "step"), options);
  }

  /** As apply(), with the gradients bound at build. */
  step(options?: StepOptions): StepReport | undefined {
    return this.#stepNow(undefined, options);
  }

  /** As apply(), off the event loop. The memory of parameters and gradients must stay until the promise settles. */
  async applyAsync(gradients: Gradients, options?: AsyncStepOptions): Promise<StepReport> {
    return this.#stepLater(givenGradients(gradients, "stepAsync"), options);
  }

  /** As step(), off the event loop. */
  async stepAsync(options?: AsyncStepOptions): Promise<StepReport> {
    return this.#stepLater(undefined, options);
  }

  #stepNow(gradients: Gradients | undefined, options: StepOptions | undefined): StepReport | undefined {
    const engine = this.#lifecycle.ready;
    const step = this.#step(gradients, parseStepOptions(options));
    const captured = capturing(engine.stream);
    if (!captured) return engine.run(step);
    captured.push(this.#capture(engine, step));
    return undefined;
  }

  async #stepLater(gradients: Gradients | undefined, options: AsyncStepOptions | undefined): Promise<StepReport> {
    const engine = this.#lifecycle.ready;
    if (capturing(engine.stream)) refuseCapture("a step of the Async forms");
    return engine.runAsync(this.#step(gradients, parseAsyncStepOptions(options)));
  }

  #step(gradients: Gradients | undefined, gradientScale: number): Step {
    return { gradients, gradientScale, rates: this.#rates, checkReady: () => this.#lifecycle.ready };
  }

  #capture(engine: Engine, step: Step): CapturedStep {
    if (step.gradients) throw invalid("work", "a function that calls step(), with gradients that are bound", "apply()");
    const { prepare, depart } = engine.capture(step);
    return {
      prepare: () => {
        step.checkReady();
        prepare();
      },
      depart,
    };
  }

  /** What the newest finished step did; null before the first. */
  get report(): StepReport | null {
    return this.#lifecycle.engine?.report ?? null;
  }

  /** Updates so far: raw steps // accumulation steps. 0 before build. @throws DISPOSED */
  get iterations(): number {
    return this.#lifecycle.engine?.iterations ?? 0;
  }

  /** The learning rate of the coming step. A number cannot replace a schedule or a function, as in Keras. */
  get learningRate(): number {
    const { engine } = this.#lifecycle;
    return this.#rates.current(() => engine?.steps ?? 0);
  }

  set learningRate(rate: LearningRate) {
    this.#lifecycle.checkAlive();
    this.#rates.replaceLearningRate(rate);
  }

  /**
   * What the coming step divides the gradients by. On a GPU one that adapts is a buffer of one element there, to scale
   * with it on the device without waiting. @throws DISPOSED, and BUSY while a step may change it
   */
  get lossScale(): number | DeviceBuffer {
    const { engine } = this.#lifecycle;
    const { scale, dynamic } = this.#scaling;
    return dynamic && engine ? (engine.lossScaleBuffer ?? engine.counters.lossScale) : scale;
  }

  /** The loss to differentiate: multiplied with the loss scale that steps divide the gradients by. Waits for the steps issued. */
  scaleLoss(loss: number): number {
    const { engine } = this.#lifecycle;
    const { scale, dynamic } = this.#scaling;
    return loss * (dynamic && engine ? engine.counters.lossScale : scale);
  }

  /**
   * Leaves parameters out of weight decay, before or after build. A call replaces earlier ones.
   *
   * @throws INVALID_ARGUMENT
   */
  excludeFromWeightDecay(exclusions: WeightDecayExclusions): void {
    const engine = this.#lifecycle.engine && this.#lifecycle.idle;
    const parsed = parse(exclusionsKind, exclusions, "excludeFromWeightDecay");
    engine?.assign(packSettings(this.#options, parsed, engine.parameters));
    this.#exclusions = engine ? nameExclusions(parsed, engine.parameters) : parsed;
  }

  /** Parameters become their moving averages, as at the end of Keras' fit(). Nothing without useEma or any step. */
  finalizeVariableValues(): void {
    this.#lifecycle.averages?.finalize();
  }

  /**
   * Parameters and their averages trade places, to evaluate with the averages; restoreEma() trades them back. Steps
   * in between are an error.
   *
   * @throws INVALID_ARGUMENT without useEma, before the first step, or when they are swapped already
   */
  swapEma(): void {
    this.#averaged().swap();
  }

  /** Undoes swapEma(). @throws INVALID_ARGUMENT when there is none */
  restoreEma(): void {
    this.#averaged().restore();
  }

  #averaged(): Averages {
    const { averages } = this.#lifecycle;
    if (averages) return averages;
    throw new AdamWError("INVALID_ARGUMENT", "There are no averages without useEma: true");
  }

  /** The state as Keras lists it. @throws NOT_BUILT, BUSY */
  get variables(): Variable[] {
    return this[variablesOf]().map(describeVariable);
  }

  /**
   * Sets the whole state from a list like `variables`.
   *
   * @throws INVALID_ARGUMENT, LENGTH_MISMATCH when it differs in count, order, paths, shapes or types; nothing changes then
   */
  setWeights(weights: readonly Variable[]): void {
    writeVariables(this[variablesOf](), weights);
  }

  [variablesOf](): VariableSource[] {
    const get = () => this.#rates.learningRate as number;
    const set = (rate: number) => this.#rates.restoreLearningRate(rate);
    const rate = typeof this.#rates.learningRate === "number" ? { get, set } : undefined;
    return optimizerVariables(this.#options, this.#lifecycle.settled, rate);
  }

  /** Keras' configuration, key for key; keys beyond Keras only where they are not the default. */
  getConfig(): Record<string, unknown> {
    const exclusions = this.#exclusions && nameExclusions(this.#exclusions, []);
    return optionsToConfig(this.#options, {
      learningRate: this.#rates.learningRate,
      excludeFromWeightDecay: exclusions,
    });
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
  async save(path: string, options?: SaveOptions): Promise<SaveReport> {
    return saveOptimizer(this[stateOf]("save"), path, options);
  }

  /**
   * Sets the state from a file, all of it or, on any error, nothing.
   *
   * @throws NOT_BUILT, BUSY, CHECKPOINT, INVALID_ARGUMENT, FILE, ABORTED
   */
  async load(path: string, options?: LoadOptions): Promise<LoadReport> {
    return loadOptimizer(this[stateOf]("load"), path, options);
  }

  /**
   * Waits until every step issued is done; on CPU devices it is. Then parameters in arrays of the host are up to date
   * on every device.
   *
   * @throws BUSY while an asynchronous step runs; what went wrong in a step that was issued: NON_FINITE, CUDA; DETACHED
   */
  synchronize(): void {
    this.#lifecycle.idle.synchronize();
  }

  /** Frees the state. Parameters stay as they are. @throws BUSY */
  dispose(): void {
    this.#lifecycle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @throws INVALID_ARGUMENT when it scales or throws by itself, BUSY */
  [takeScaling](scaling: LossScaling): void {
    const { lossScaleFactor, nonFinite } = this.#options;
    if (lossScaleFactor !== null) throw invalid("lossScaleFactor of the inner optimizer", "null", lossScaleFactor);
    if (nonFinite === "throw") {
      throw invalid("nonFinite of the inner optimizer", '"propagate" or "skip" (steps are skipped here)', nonFinite);
    }
    this.#lifecycle.engine?.setScaling(scaling);
    this.#scaling = scaling;
  }

  [stateOf](to: "save" | "load"): OptimizerState {
    return {
      engine: to === "save" ? this.#lifecycle.settled : this.#lifecycle.loadable,
      options: this.#options,
      config: () => serialize(this),
      dynamicLossScale: this.#scaling.dynamic !== undefined,
      learningRate: () => {
        const { learningRate } = this.#rates;
        return typeof learningRate === "number" ? learningRate : null;
      },
      setLearningRate: (rate) => this.#rates.restoreLearningRate(rate),
      hold: (reason) => this.#lifecycle.hold(reason),
    };
  }

  [engineOf](): Engine {
    return this.#lifecycle.idle;
  }
}
