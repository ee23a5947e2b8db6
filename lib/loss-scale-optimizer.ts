/** Dynamic loss scaling around an AdamW. */

import { AdamW, coreOf } from "./adamw.js";
import type { RuntimeOptions } from "./device.js";
import type { DeviceBuffer } from "./device-buffer.js";
import type { Counters } from "./engine.js";
import { invalid } from "./errors.js";
import type { WeightDecayExclusions } from "./exclusions.js";
import { tellingFields } from "./fields.js";
import type { Gradients } from "./gradients.js";
import { lossScaleKind } from "./hyper.js";
import { inspection, shownAs } from "./inspection.js";
import { adamAsAdamW } from "./keras-adam.js";
import { type CustomObjects, find, kerasOptimizers, serialize } from "./keras-object.js";
import {
  configToLossScale,
  type LossScaleOptions,
  lossScaleFields,
  lossScaleToConfig,
  type ResolvedLossScaleOptions,
  resolveLossScaleOptions,
} from "./loss-scale-options.js";
import type { LearningRate } from "./options.js";
import type { Parameter, ParameterInit } from "./parameters.js";
import type { Rebinding } from "./rebinding.js";
import type { FilePath } from "./state/file-path.js";
import { type LoadOptions, type LoadReport, loadOptimizer } from "./state/load.js";
import type { OptimizerState } from "./state/optimizer-state.js";
import { type SaveOptions, type SaveReport, saveOptimizer } from "./state/save.js";
import type { AsyncStepOptions, StepOptions } from "./step-options.js";
import type { StepReport } from "./step-report.js";
import { integerFrom, type Kind, nonNegative } from "./validate.js";
import { describeVariable, scalarVariable, type Variable, type VariableSource, writeVariables } from "./variables.js";

/**
 * Keras' LossScaleOptimizer: gradients are divided by a scale that halves when one of them is not finite (the step is
 * skipped) and doubles after `dynamicGrowthSteps` finite steps. Unlike Keras' the scale keeps between two limits, where
 * Keras' reaches 0 or infinity and stays there.
 *
 * Everything else is the inner optimizer's.
 *
 * @example
 * const optimizer = new LossScaleOptimizer(new AdamW(), { initialScale: 2 ** 12 });
 * optimizer.build([{ name: "w", value: w }]);
 * const scaled = optimizer.scaleLoss(loss); // differentiate this
 * optimizer.apply([gradientOfScaled]);
 */
export class LossScaleOptimizer {
  static readonly module = kerasOptimizers;
  static {
    Object.defineProperty(this, "name", { value: "LossScaleOptimizer" });
  }

  readonly #inner: AdamW;
  readonly #options: ResolvedLossScaleOptions;

  /** @throws INVALID_ARGUMENT for wrong options, and for an inner optimizer that scales or throws by itself */
  constructor(inner: AdamW, options: LossScaleOptions = {}) {
    if (!(inner instanceof AdamW)) throw invalid("the inner optimizer", "an AdamW", inner);
    this.#inner = inner;
    this.#options = resolveLossScaleOptions(options);
    inner[coreOf].takeScaling({
      // Keras keeps the scale in float32.
      scale: Math.fround(this.#options.initialScale),
      dynamic: {
        growthSteps: this.#options.dynamicGrowthSteps,
        minimum: this.#options.minimumScale,
        maximum: this.#options.maximumScale,
      },
    });
  }

  get innerOptimizer(): AdamW {
    return this.#inner;
  }

  get name(): string {
    return this.#options.name;
  }

  get built(): boolean {
    return this.#inner.built;
  }

  get device(): string {
    return this.#inner.device;
  }

  get parameters(): readonly Readonly<Parameter>[] {
    return this.#inner.parameters;
  }

  build(parameters: readonly ParameterInit[]): this {
    this.#inner.build(parameters);
    return this;
  }

  rebind(bindings: readonly Rebinding[]): void {
    this.#inner.rebind(bindings);
  }

  /** One step with the gradients of the scaled loss. */
  apply(gradients: Gradients, options?: StepOptions): StepReport | undefined {
    return this.#inner.apply(gradients, options);
  }

  step(options?: StepOptions): StepReport | undefined {
    return this.#inner.step(options);
  }

  applyAsync(gradients: Gradients, options?: AsyncStepOptions): Promise<StepReport> {
    return this.#inner.applyAsync(gradients, options);
  }

  stepAsync(options?: AsyncStepOptions): Promise<StepReport> {
    return this.#inner.stepAsync(options);
  }

  get report(): StepReport | null {
    return this.#inner.report;
  }

  get iterations(): number {
    return this.#inner.iterations;
  }

  get learningRate(): number {
    return this.#inner.learningRate;
  }

  set learningRate(rate: LearningRate) {
    this.#inner.learningRate = rate as number;
  }

  /** The scale of the coming step. */
  get lossScale(): number | DeviceBuffer<"float32"> {
    return this.#inner.lossScale;
  }

  scaleLoss(loss: number): number {
    return this.#inner.scaleLoss(loss);
  }

  excludeFromWeightDecay(exclusions: WeightDecayExclusions): void {
    this.#inner.excludeFromWeightDecay(exclusions);
  }

  finalizeVariableValues(): void {
    this.#inner.finalizeVariableValues();
  }

  swapEma(): void {
    this.#inner.swapEma();
  }

  restoreEma(): void {
    this.#inner.restoreEma();
  }

  /** Its own four variables, then the inner optimizer's. */
  get variables(): Variable[] {
    return this.#variables().map(describeVariable);
  }

  setWeights(weights: readonly Variable[]): void {
    writeVariables(this.#variables(), weights);
  }

  #variables(): VariableSource[] {
    const { variables: inner, lifecycle } = this.#inner[coreOf];
    const { minimumScale: minimum, maximumScale: maximum } = this.#options;
    const engine = () => lifecycle.settled;
    const counter = (name: string, dtype: "int32" | "float32", kind: Kind<number>, key: keyof Counters) =>
      scalarVariable({
        path: `${this.name}/${name}`,
        dtype,
        kind,
        get: () => engine().counters[key],
        set: (value) => {
          engine().counters = { ...engine().counters, [key]: value };
        },
      });
    const unused = (name: string, dtype: "int32" | "float32", kind: Kind<number>) =>
      scalarVariable({ path: `${this.name}/${name}`, dtype, kind, get: () => 0, set: () => {} });
    return [
      // Keras' base class makes these two and never uses them.
      unused("iteration", "int32", integerFrom(0)),
      unused("learning_rate", "float32", nonNegative),
      counter("step_counter", "int32", integerFrom(0), "growthCounter"),
      counter("dynamic_scale", "float32", lossScaleKind({ minimum, maximum }), "lossScale"),
      ...inner,
    ];
  }

  getConfig(): Record<string, unknown> {
    return lossScaleToConfig(this.#inner, this.#options);
  }

  static fromConfig(
    config: unknown,
    runtime: RuntimeOptions & { customObjects?: CustomObjects } = {},
  ): LossScaleOptimizer {
    const { inner, options } = configToLossScale(config);
    const { customObjects = {} } = runtime;
    const found = find(adamAsAdamW(inner, customObjects), "inner_optimizer", [AdamW], customObjects, runtime);
    const optimizer = "object" in found ? found.object : found.class.fromConfig(found.config, runtime);
    return new this(optimizer as AdamW, options);
  }

  async save(path: FilePath, options?: SaveOptions): Promise<SaveReport> {
    return saveOptimizer(this.#state("save"), path, options);
  }

  async load(path: FilePath, options?: LoadOptions): Promise<LoadReport> {
    return loadOptimizer(this.#state("load"), path, options);
  }

  #state(to: "save" | "load"): OptimizerState {
    return this.#inner[coreOf].state(to, () => serialize(this));
  }

  synchronize(): void {
    this.#inner.synchronize();
  }

  dispose(): void {
    this.#inner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  [inspection](): object {
    return shownAs(this.constructor.name, () => {
      return { ...tellingFields(lossScaleFields, this.#options), innerOptimizer: this.#inner };
    });
  }
}
