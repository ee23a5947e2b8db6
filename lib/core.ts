/** What an AdamW is made of, for the class itself and for what is wrapped around it. */

import type { Averages } from "./averages.js";
import { Bindings } from "./bindings.js";
import { parseRuntime, type Runtime, type RuntimeOptions } from "./device.js";
import { Engine } from "./engine.js";
import { AdamWError, unexpected } from "./errors.js";
import { exclusionsKind, nameExclusions, type WeightDecayExclusions } from "./exclusions.js";
import { tellingFields } from "./fields.js";
import { type Gradients, listGradients } from "./gradients.js";
import { type LossScaling, lossScaleKind, packSettings, resolveFrozen } from "./hyper.js";
import { Lifecycle } from "./lifecycle.js";
import { type AdamWOptions, optionFields, type ResolvedOptions, resolveOptions } from "./options.js";
import { type ParameterInit, parseParameters } from "./parameters.js";
import type { OptimizerState } from "./state/optimizer-state.js";
import { StepRates } from "./step-rates.js";
import type { StepReport } from "./step-report.js";
import type { Step } from "./stepper.js";
import { type CapturedStep, capturing, refuseCapture } from "./stream.js";
import { parse } from "./validate.js";
import { optimizerVariables, type VariableSource } from "./variables.js";

export class Core {
  readonly options: ResolvedOptions;
  readonly rates: StepRates;
  readonly lifecycle = new Lifecycle();
  readonly #runtime: Runtime;
  #exclusions: WeightDecayExclusions | null;
  #scaling: LossScaling;

  /** @throws INVALID_ARGUMENT */
  constructor(options: AdamWOptions, runtime: RuntimeOptions) {
    this.options = resolveOptions(options);
    this.#runtime = parseRuntime(runtime);
    this.rates = new StepRates(this.options);
    this.#exclusions = this.options.excludeFromWeightDecay;
    this.#scaling = { scale: this.options.lossScaleFactor ?? 1 };
  }

  build(parameters: readonly ParameterInit[]): void {
    if (this.lifecycle.engine) {
      throw new AdamWError("ALREADY_BUILT", "The optimizer has its parameters; rebind() gives them other memory");
    }
    const parsed = parseParameters(parameters);
    const frozen = resolveFrozen(this.options, parsed);
    if (!frozen.includes(false)) throw unexpected("groups that leave some parameter unfrozen", this.options.groups);
    const settings = packSettings(this.options, this.#exclusions, parsed);
    const engine = new Engine(this.options, new Bindings(parsed, frozen), this.#runtime, this.#scaling);
    engine.assign(settings);
    this.lifecycle.start(engine, this.options.useEma);
    this.#exclusions &&= nameExclusions(this.#exclusions, parsed);
  }

  /** Undefined where the step is not done on return. */
  step(gradients: Gradients | undefined, gradientScale: number): StepReport | undefined {
    const step = this.#describe(gradients, gradientScale, false);
    const engine = this.lifecycle.ready;
    const captured = capturing(engine.stream);
    if (!captured) return engine.run(step);
    captured.push(this.#capture(engine, step));
    return undefined;
  }

  async stepAsync(gradients: Gradients | undefined, gradientScale: number): Promise<StepReport> {
    const step = this.#describe(gradients, gradientScale, true);
    const engine = this.lifecycle.ready;
    if (capturing(engine.stream)) refuseCapture("a step of the Async forms");
    return engine.runAsync(step);
  }

  #describe(gradients: Gradients | undefined, gradientScale: number, isAsync: boolean): Step {
    const { built } = this.lifecycle;
    const listed = gradients === undefined ? undefined : listGradients(gradients, built.parameters);
    const checkReady = () => this.lifecycle.ready;
    const hold = () => this.lifecycle.hold("A step is finding out its learning rate and weight decay");
    return { gradients: listed, gradientScale, isAsync, rates: this.rates, checkReady, hold };
  }

  #capture(engine: Engine, step: Step): CapturedStep {
    if (step.gradients) {
      const message =
        "Expected work that calls step(), with gradients bound at build() or rebind(), but it calls apply()";
      throw new AdamWError("INVALID_ARGUMENT", message);
    }
    const { prepare, depart } = engine.capture(step);
    return {
      prepare: () => {
        step.checkReady();
        prepare();
      },
      depart,
    };
  }

  get exclusions(): WeightDecayExclusions | null {
    return this.#exclusions && nameExclusions(this.#exclusions, []);
  }

  exclude(exclusions: WeightDecayExclusions): void {
    const parsed = parse(exclusionsKind, exclusions, "excludeFromWeightDecay");
    const engine = this.lifecycle.engine && this.lifecycle.idle;
    engine?.assign(packSettings(this.options, parsed, engine.parameters));
    this.#exclusions = engine ? nameExclusions(parsed, engine.parameters) : parsed;
  }

  /** The loss scale, and the engine that adapts it, if it is adapted. */
  get scaling(): LossScaling & { engine: Engine | undefined } {
    const { engine } = this.lifecycle;
    return { ...this.#scaling, engine: this.#scaling.dynamic && engine };
  }

  /**
   * Takes over the loss scale, before or after build.
   *
   * @throws INVALID_ARGUMENT when it scales or throws by itself, or something else has taken it over; BUSY
   */
  takeScaling(scaling: LossScaling): void {
    const { lossScaleFactor, nonFinite } = this.options;
    if (lossScaleFactor !== null) throw unexpected("an inner optimizer without lossScaleFactor", lossScaleFactor);
    if (nonFinite === "throw") {
      throw unexpected('an inner optimizer with nonFinite "propagate" or "skip" (steps are skipped here)', nonFinite);
    }
    if (this.#scaling.dynamic) {
      throw new AdamWError("INVALID_ARGUMENT", "The inner optimizer has a LossScaleOptimizer around it: use that one");
    }
    if (this.lifecycle.engine) this.lifecycle.idle.setScaling(scaling);
    this.#scaling = scaling;
  }

  /** @throws INVALID_ARGUMENT */
  get averages(): Averages {
    const { averages } = this.lifecycle;
    if (averages) return averages;
    throw new AdamWError("INVALID_ARGUMENT", "There are no averages without useEma: true");
  }

  /**
   * For people to read: what it is working on and how it differs from the defaults, at any time and without waiting.
   */
  get summary(): object {
    const { learningRate } = this.rates;
    const options = { ...this.options, learningRate, excludeFromWeightDecay: this.#exclusions };
    return { ...this.#progress(), learningRate, ...tellingFields(optionFields, options) };
  }

  #progress(): object {
    const { lifecycle } = this;
    if (lifecycle.disposed) return { disposed: true };
    const { engine } = lifecycle;
    if (!engine) return { built: false };
    const { device, parameters, knownIterations: iterations } = engine;
    const elements = parameters.reduce((sum, { length }) => sum + length, 0);
    return { device, parameters: parameters.length, elements, iterations };
  }

  /** The state as Keras lists it. */
  get variables(): VariableSource[] {
    const get = () => this.rates.learningRate as number;
    const set = (rate: number) => this.rates.restoreLearningRate(rate);
    const rate = typeof this.rates.learningRate === "number" ? { get, set } : undefined;
    return optimizerVariables(this.options, () => this.lifecycle.settled, rate);
  }

  /** What saving and loading need; `config` makes the JSON that stands for the optimizer. */
  state(to: "save" | "load", config: OptimizerState["config"]): OptimizerState {
    const engine = () => (to === "save" ? this.lifecycle.settled : this.lifecycle.loadable);
    return {
      engine: engine(),
      options: this.options,
      config,
      lossScale: this.#scaling.dynamic ? lossScaleKind(this.#scaling.dynamic) : null,
      learningRate: () => {
        const { learningRate } = this.rates;
        return typeof learningRate === "number" ? learningRate : null;
      },
      setLearningRate: (rate) => this.rates.restoreLearningRate(rate),
      hold: (reason) => {
        // The caller's code in the options may have used the optimizer meanwhile.
        engine();
        return this.lifecycle.hold(reason);
      },
    };
  }
}
