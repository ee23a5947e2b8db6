/** The optimizer. */

import type { Averages } from "./averages.js";
import { Bindings } from "./bindings.js";
import { configToOptions, optionsToConfig } from "./config.js";
import { parseRuntime, type Runtime, type RuntimeOptions } from "./device.js";
import { type Controls, Engine } from "./engine.js";
import { AdamWError, invalid } from "./errors.js";
import { exclusionsKind, nameExclusions, type WeightDecayExclusions } from "./exclusions.js";
import { type Gradients, givenGradients, type StepGradients } from "./gradients.js";
import { type LossScaling, packSettings, resolveFrozen } from "./hyper.js";
import { type CustomObjects, kerasOptimizers, serialize } from "./keras-object.js";
import { Lifecycle } from "./lifecycle.js";
import { type AdamWOptions, type LearningRate, type ResolvedOptions, resolveOptions } from "./options.js";
import { type Parameter, type ParameterInit, parseParameters } from "./parameters.js";
import { type OptimizerPlan, type PlannedParameter, planMemory } from "./plan.js";
import { rateAt, replaceRate } from "./rates.js";
import { parseRebindings, type Rebinding } from "./rebinding.js";
import { type LoadOptions, type LoadReport, loadOptimizer } from "./state/load.js";
import type { OptimizerState } from "./state/optimizer-state.js";
import { type SaveOptions, type SaveReport, saveOptimizer } from "./state/save.js";
import { type AsyncStepOptions, parseAsyncStepOptions, parseStepOptions, type StepOptions } from "./step-options.js";
import type { StepReport } from "./step-report.js";
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
  #learningRate: LearningRate;
  #exclusions: WeightDecayExclusions | null;
  #scaling: LossScaling;
  readonly #lifecycle = new Lifecycle();
  #report: StepReport | null = null;

  /** @throws INVALID_ARGUMENT for unknown options and wrong values */
  constructor(options: AdamWOptions = {}, runtime: RuntimeOptions = {}) {
    this.#options = resolveOptions(options);
    this.#runtime = parseRuntime(runtime);
    this.#learningRate = this.#options.learningRate;
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
   * One step with these gradients: one entry per parameter, null for none, or an object by name.
   *
   * @throws NOT_BUILT, BUSY, DISPOSED, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NON_FINITE; the state is untouched then
   */
  apply(gradients: Gradients, options?: StepOptions): StepReport {
    return this.#stepNow(givenGradients(gradients, "step"), options);
  }

  /** As apply(), with the gradients bound at build. */
  step(options?: StepOptions): StepReport {
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

  #stepNow(gradients: Gradients | undefined, options: StepOptions | undefined): StepReport {
    const engine = this.#lifecycle.ready;
    const gradientScale = parseStepOptions(options);
    const [chosen, controls] = this.#prepare(engine, gradients, gradientScale);
    this.#report = engine.run(chosen, controls);
    return this.#report;
  }

  async #stepLater(gradients: Gradients | undefined, options: AsyncStepOptions | undefined): Promise<StepReport> {
    const engine = this.#lifecycle.ready;
    const gradientScale = parseAsyncStepOptions(options);
    const [chosen, controls] = this.#prepare(engine, gradients, gradientScale);
    this.#report = await engine.runAsync(chosen, controls);
    return this.#report;
  }

  /** All that a step needs. The rates come last: a function is called once for each update that is issued. */
  #prepare(engine: Engine, gradients: Gradients | undefined, gradientScale: number): [StepGradients, Controls] {
    const { weightDecay } = this.#options;
    const fixed = typeof this.#learningRate === "number" && typeof weightDecay === "number";
    const chosen = engine.prepare(gradients);
    const controls = this.#controls(engine, gradientScale);
    // The code behind a rate may have done anything, such as grow the WebAssembly memory that the parameters are in.
    return [fixed ? chosen : this.#lifecycle.ready.prepare(gradients), controls];
  }

  #controls(engine: Engine, gradientScale: number): Controls {
    // A function is called once for each update; a micro-step that only accumulates needs no rate.
    const needsRate = typeof this.#learningRate !== "function" || !engine.isMicroStep;
    return {
      weightDecay: rateAt(this.#options.weightDecay, engine.steps, "weightDecay"),
      learningRate: needsRate ? rateAt(this.#learningRate, engine.steps, "learningRate") : Number.NaN,
      gradientScale,
    };
  }

  /** What the newest finished step did; null before the first. */
  get report(): StepReport | null {
    return this.#report;
  }

  /** Updates so far: raw steps // accumulation steps. 0 before build. @throws DISPOSED */
  get iterations(): number {
    return this.#lifecycle.engine?.iterations ?? 0;
  }

  /** The learning rate of the coming step. A number cannot replace a schedule or a function, as in Keras. */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.#lifecycle.engine?.steps ?? 0, "learningRate");
  }

  set learningRate(rate: LearningRate) {
    this.#lifecycle.checkAlive();
    this.#learningRate = replaceRate(this.#learningRate, rate);
  }

  /** What the coming step divides the gradients by. @throws DISPOSED, and BUSY while a step may change it */
  get lossScale(): number {
    const { engine } = this.#lifecycle;
    const { scale, dynamic } = this.#scaling;
    return dynamic && engine ? engine.counters.lossScale : scale;
  }

  /** The loss to differentiate: multiplied with the loss scale that steps divide the gradients by. */
  scaleLoss(loss: number): number {
    return loss * this.lossScale;
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
    const get = () => this.#learningRate as number;
    const set = (rate: number) => {
      this.#learningRate = rate;
    };
    const rate = typeof this.#learningRate === "number" ? { get, set } : undefined;
    return optimizerVariables(this.#options, this.#lifecycle.ready, rate);
  }

  /** Keras' configuration, key for key; keys beyond Keras only where they are not the default. */
  getConfig(): Record<string, unknown> {
    const exclusions = this.#exclusions && nameExclusions(this.#exclusions, []);
    return optionsToConfig(this.#options, { learningRate: this.#learningRate, excludeFromWeightDecay: exclusions });
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

  /** Waits until every step issued is done; on CPU devices it is. @throws BUSY while an asynchronous step runs */
  synchronize(): void {
    this.#lifecycle.idle.checkIdle();
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
      engine: to === "save" ? this.#lifecycle.ready : this.#lifecycle.loadable,
      options: this.#options,
      config: () => serialize(this),
      dynamicLossScale: this.#scaling.dynamic !== undefined,
      learningRate: () => (typeof this.#learningRate === "number" ? this.#learningRate : null),
      setLearningRate: (rate) => {
        this.#learningRate = rate;
      },
      hold: (reason) => this.#lifecycle.hold(reason),
    };
  }

  [engineOf](): Engine {
    return this.#lifecycle.idle;
  }
}
