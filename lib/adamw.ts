/** The optimizer. */

import { configToOptions, optionsToConfig } from "./config.js";
import type { RuntimeOptions } from "./device.js";
import { type Controls, Engine, type Gradients } from "./engine.js";
import { AdamWError, invalid } from "./errors.js";
import { exclusionsKind, nameExclusions, type WeightDecayExclusions } from "./exclusions.js";
import { type LossScaling, packSettings, resolveFrozen } from "./hyper.js";
import { type CustomObjects, kerasOptimizers } from "./keras-object.js";
import { type AdamWOptions, type LearningRate, type ResolvedOptions, resolveOptions } from "./options.js";
import { checkArray, checkOverlap, type Parameter, type ParameterInit, parseParameters } from "./parameters.js";
import { type OptimizerPlan, planMemory } from "./plan.js";
import { rateAt, replaceRate } from "./rates.js";
import type { StepReport } from "./step-report.js";
import { integerFrom, parse, parseRecord, positive, text } from "./validate.js";
import {
  describeVariable,
  scalarVariable,
  slotVariables,
  type Variable,
  type VariableSource,
  writeVariables,
} from "./variables.js";

/** Options of one step. */
export interface StepOptions {
  /** Multiplies the gradients: 1 / tokens, or the weight of an uneven micro-batch. @default 1 */
  gradientScale?: number;
}

export interface AsyncStepOptions extends StepOptions {
  /** Stops the step if it has not begun; one that has begun finishes. */
  signal?: AbortSignal;
}

/** Other memory for a built parameter. */
export interface Rebinding {
  name: string;
  value?: Float32Array;
  gradient?: Float32Array | null;
}

/** For LossScaleOptimizer: takes over the loss scale of an optimizer, built or not. */
export const takeScaling = Symbol("takeScaling");
/** For LossScaleOptimizer: the engine of a built optimizer. */
export const engineOf = Symbol("engineOf");

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
  readonly #runtime: { device: string; threads: number };
  #learningRate: LearningRate;
  #exclusions: WeightDecayExclusions | null;
  #scaling: LossScaling;
  #engine: Engine | undefined;
  #report: StepReport | null = null;
  #busy = false;
  #disposed = false;
  #swapped = false;

  /** @throws INVALID_ARGUMENT for unknown options and wrong values */
  constructor(options: AdamWOptions = {}, runtime: RuntimeOptions = {}) {
    this.#options = resolveOptions(options);
    const { device = "auto", threads } = parseRecord(runtime, "the runtime options", ["device", "threads"]);
    this.#runtime = {
      device: parse(text, device, "device"),
      threads: threads === undefined ? 0 : parse(integerFrom(1), threads, "threads"),
    };
    this.#learningRate = this.#options.learningRate;
    this.#exclusions = this.#options.excludeFromWeightDecay;
    this.#scaling = { scale: this.#options.lossScaleFactor ?? 1 };
  }

  /** The bytes each kind of memory will take for these parameters, before anything is allocated. */
  static plan(options: AdamWOptions, parameters: readonly { name: string; shape: readonly number[] }[]): OptimizerPlan {
    return planMemory(resolveOptions(options), parameters);
  }

  get name(): string {
    return this.#options.name;
  }

  get built(): boolean {
    return this.#engine !== undefined;
  }

  /** The device that computes. @throws NOT_BUILT */
  get device(): string {
    return this.#ready().device;
  }

  /** The built parameters, in order. @throws NOT_BUILT */
  get parameters(): readonly Readonly<Parameter>[] {
    return this.#ready().parameters;
  }

  /**
   * Takes the parameters, which every step then updates in place, and allocates the state.
   *
   * @throws ALREADY_BUILT, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NO_DEVICE, OUT_OF_MEMORY
   */
  build(parameters: readonly ParameterInit[]): this {
    this.#alive();
    if (this.#engine) {
      throw new AdamWError("ALREADY_BUILT", "The optimizer has its parameters; rebind() gives them other memory");
    }
    const parsed = parseParameters(parameters);
    const frozen = resolveFrozen(this.#options, parsed);
    if (!frozen.includes(false))
      throw invalid("groups", "groups that leave a parameter unfrozen", this.#options.groups);
    const settings = packSettings(this.#options, this.#exclusions, parsed);
    const engine = new Engine(this.#options, parsed, frozen, { ...this.#runtime, scaling: this.#scaling });
    engine.assign(settings);
    this.#engine = engine;
    return this;
  }

  /**
   * Gives parameters other memory of the same length; the state stays.
   *
   * @throws NOT_BUILT, BUSY, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
   */
  rebind(bindings: readonly Rebinding[]): void {
    const engine = this.#idle();
    if (!Array.isArray(bindings)) throw invalid("bindings", "an array of { name, value, gradient }", bindings);
    const changed = new Map<Parameter, Parameter>();
    bindings.forEach((binding: Rebinding, i) => {
      const { name } = parseRecord(binding, `bindings[${i}]`, ["name", "value", "gradient"]);
      const parameter = engine.parameters.find((candidate) => candidate.name === name);
      if (!parameter) throw invalid(`bindings[${i}].name`, "the name of a built parameter", name);
      const { value = parameter.value, gradient = parameter.gradient } = binding;
      checkArray(value, `the value of ${parameter.name}`, parameter.length);
      if (gradient !== null) checkArray(gradient, `the gradient of ${parameter.name}`, parameter.length);
      changed.set(parameter, { ...parameter, value, gradient });
    });
    checkOverlap(engine.parameters.map((parameter) => changed.get(parameter) ?? parameter));
    for (const [parameter, { value, gradient }] of changed) {
      Object.assign(parameter, { value, gradient });
      engine.bind(parameter);
    }
  }

  /**
   * One step with these gradients: one entry per parameter, null for none, or an object by name.
   *
   * @throws NOT_BUILT, BUSY, DISPOSED, INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED, NON_FINITE; the state is untouched then
   */
  apply(gradients: Gradients, options?: StepOptions): StepReport {
    if (gradients === undefined)
      throw invalid("gradients", "an array or an object (step() uses bound ones)", gradients);
    return this.#stepNow(gradients, options);
  }

  /** As apply(), with the gradients bound at build. */
  step(options?: StepOptions): StepReport {
    return this.#stepNow(undefined, options);
  }

  /** As apply(), off the event loop. The memory of parameters and gradients must stay until the promise settles. */
  async applyAsync(gradients: Gradients, options?: AsyncStepOptions): Promise<StepReport> {
    if (gradients === undefined)
      throw invalid("gradients", "an array or an object (stepAsync() uses bound ones)", gradients);
    return this.#stepLater(gradients, options);
  }

  /** As step(), off the event loop. */
  async stepAsync(options?: AsyncStepOptions): Promise<StepReport> {
    return this.#stepLater(undefined, options);
  }

  #stepNow(gradients: Gradients | undefined, options: StepOptions | undefined): StepReport {
    const engine = this.#idle();
    const chosen = engine.prepare(gradients);
    this.#report = engine.run(chosen, this.#controls(engine, options));
    return this.#report;
  }

  async #stepLater(gradients: Gradients | undefined, options: AsyncStepOptions = {}): Promise<StepReport> {
    const engine = this.#idle();
    const { signal, ...rest } = parseRecord(options, "the step options", [
      "gradientScale",
      "signal",
    ]) as AsyncStepOptions;
    if (signal?.aborted)
      throw new AdamWError("ABORTED", "The step was stopped before it began", { cause: signal.reason });
    const chosen = engine.prepare(gradients);
    const controls = this.#controls(engine, rest);
    this.#busy = true;
    try {
      this.#report = await engine.runAsync(chosen, controls);
      return this.#report;
    } finally {
      this.#busy = false;
    }
  }

  #controls(engine: Engine, options: StepOptions | undefined): Controls {
    let gradientScale = 1;
    if (options !== undefined) {
      parseRecord(options, "the step options", ["gradientScale"]);
      if (options.gradientScale !== undefined) gradientScale = parse(positive, options.gradientScale, "gradientScale");
    }
    const isFunction = typeof this.#learningRate === "function";
    return {
      // A function is called once for each update; a micro-step that only accumulates needs no rate.
      learningRate:
        isFunction && engine.isMicroStep ? Number.NaN : rateAt(this.#learningRate, engine.steps, "learningRate"),
      weightDecay: rateAt(this.#options.weightDecay, engine.steps, "weightDecay"),
      gradientScale,
    };
  }

  /** What the newest finished step did; null before the first. */
  get report(): StepReport | null {
    return this.#report;
  }

  /** Updates so far: raw steps // accumulation steps. 0 before build. */
  get iterations(): number {
    return Math.floor((this.#engine?.steps ?? 0) / (this.#options.gradientAccumulationSteps || 1));
  }

  /** The learning rate of the coming step. A number cannot replace a schedule or a function, as in Keras. */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.#engine?.steps ?? 0, "learningRate");
  }

  set learningRate(rate: LearningRate) {
    this.#alive();
    this.#learningRate = replaceRate(this.#learningRate, rate);
  }

  /** What the gradients are divided by. */
  get lossScale(): number {
    return this.#engine?.counters.lossScale ?? this.#scaling.scale;
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
    const engine = this.#engine && this.#idle();
    this.#alive();
    const parsed = parse(exclusionsKind, exclusions, "excludeFromWeightDecay");
    engine?.assign(packSettings(this.#options, parsed, engine.parameters));
    this.#exclusions = parsed;
  }

  /** Parameters become their moving averages for good, as Keras does at the end of fit(). Nothing without useEma. */
  finalizeVariableValues(): void {
    const engine = this.#idle();
    if (!this.#options.useEma) return;
    if (this.#swapped) this.restoreEma();
    engine.applyEma();
  }

  /**
   * Parameters and their averages trade places, to evaluate with the averages; restoreEma() trades them back. Steps
   * in between are an error.
   *
   * @throws INVALID_ARGUMENT without useEma, or when they are swapped already
   */
  swapEma(): void {
    this.#exchange(false, "swapEma() can be called once before restoreEma()");
  }

  /** Undoes swapEma(). */
  restoreEma(): void {
    this.#exchange(true, "restoreEma() undoes one swapEma()");
  }

  #exchange(from: boolean, rule: string): void {
    const engine = this.#idle(true);
    if (!this.#options.useEma) throw new AdamWError("INVALID_ARGUMENT", "There are no averages without useEma: true");
    if (this.#swapped !== from) throw new AdamWError("INVALID_ARGUMENT", rule);
    for (const { value, name, length } of engine.trained) checkArray(value, `the value of ${name}`, length);
    engine.exchangeEma();
    this.#swapped = !from;
  }

  /** The state as Keras lists it. @throws NOT_BUILT, BUSY */
  get variables(): Variable[] {
    return this.#variables().map(describeVariable);
  }

  /**
   * Sets the whole state from a list like `variables`.
   *
   * @throws INVALID_ARGUMENT, LENGTH_MISMATCH when it differs in count, order, paths, shapes or types; nothing changes then
   */
  setWeights(weights: readonly Variable[]): void {
    writeVariables(this.#variables(), weights);
  }

  #variables(): VariableSource[] {
    const engine = this.#idle();
    const { name } = this.#options;
    const iteration = scalarVariable(
      `${name}/iteration`,
      "int32",
      () => engine.steps,
      (steps) => this.#setSteps(engine, steps),
    );
    const rate = this.#learningRate;
    const learningRate =
      typeof rate === "number"
        ? [
            scalarVariable(
              `${name}/learning_rate`,
              "float32",
              () => rate,
              (value) => this.#setRate(value),
            ),
          ]
        : [];
    return [iteration, ...learningRate, ...slotVariables(this.#options, engine)];
  }

  /** The count of raw steps; PyTorch's per-parameter counts, which Keras' list has no place for, follow it. */
  #setSteps(engine: Engine, steps: number): void {
    engine.counters = { ...engine.counters, steps };
    engine.updates = new Float64Array(engine.trained.length).fill(this.iterations);
  }

  /** The list holds a float32: the double it was rounded from stays if it still rounds to the same. */
  #setRate(value: number): void {
    if (Math.fround(this.#learningRate as number) !== value) this.#learningRate = value;
  }

  /** Keras' configuration, key for key; keys beyond Keras only where they are not the default. */
  getConfig(): Record<string, unknown> {
    const exclusions = this.#exclusions && nameExclusions(this.#exclusions, this.#engine?.parameters ?? []);
    return optionsToConfig(this.#options, { learningRate: this.#learningRate, excludeFromWeightDecay: exclusions });
  }

  /** The optimizer that a configuration stands for; `config` is not changed. @throws INVALID_ARGUMENT */
  static fromConfig(config: unknown, runtime: RuntimeOptions & { customObjects?: CustomObjects } = {}): AdamW {
    const { customObjects = {}, ...rest } = runtime;
    return new AdamW(configToOptions(config, customObjects), rest);
  }

  /** Waits until every step issued is done; on CPU devices it is. @throws BUSY while an asynchronous step runs */
  synchronize(): void {
    this.#idle(true);
  }

  /** Frees the state. Parameters stay as they are. @throws BUSY */
  dispose(): void {
    if (this.#busy) this.#idle(true);
    this.#engine?.dispose();
    this.#engine = undefined;
    this.#disposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [takeScaling](scaling: LossScaling): void {
    this.#alive();
    this.#scaling = scaling;
    this.#engine?.setScaling(scaling);
  }

  [engineOf](): Engine | undefined {
    return this.#engine;
  }

  #alive(): void {
    if (this.#disposed) throw new AdamWError("DISPOSED", "The optimizer was disposed");
  }

  #ready(): Engine {
    this.#alive();
    if (this.#engine) return this.#engine;
    throw new AdamWError("NOT_BUILT", "The optimizer has no parameters yet: call build() first");
  }

  /** The engine between steps. */
  #idle(swappedToo = false): Engine {
    const engine = this.#ready();
    if (this.#busy) throw new AdamWError("BUSY", "An asynchronous step has not finished: await it first");
    if (this.#swapped && !swappedToo) {
      throw new AdamWError("BUSY", "The parameters hold their averages: call restoreEma() first");
    }
    return engine;
  }
}
