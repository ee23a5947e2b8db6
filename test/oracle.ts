/**
 * The whole step in plain float64, one loop per parameter: what the semantics say, without a thought for speed.
 *
 * Beside every number stands its `error`: how far the fp32 rule may be from it, by a running error analysis (Higham,
 * Accuracy and Stability of Numerical Algorithms, §3.3). An fp32 operation is off by at most 2⁻²⁴ of its result (or
 * 2⁻¹⁵⁰ where that is subnormal) and hands on the errors of what it works on. So tests need no tolerance of their own.
 *
 * Two others are not this one on purpose: `lib/cli/bench/oracle.ts`, written by itself from docs/semantics.md, is what
 * the installed package holds single elements of a benchmark to (test/bench too); `long-run.test.ts` forms its averages
 * the usual way, since drift in the form of ours is what it looks for.
 */

import type { ParameterGroup } from "../lib/groups.js";
import type { ResolvedOptions } from "../lib/options.js";
import { rateAt } from "../lib/rates.js";
import type { StepReport } from "../lib/step-report.js";

/** What an optimizer keeps per element, by its name in the addon; `value` is the parameter. */
export const slots = ["value", "accumulator", "moment1", "moment2", "maxMoment2", "ema"] as const;
export type Slots = Record<(typeof slots)[number], Float64Array>;

/** What groups and exclusions come to for one parameter. */
export type OracleSetting = Partial<Omit<ParameterGroup, "match" | "optional">> & { excluded?: boolean };

export interface DynamicScale {
  initialScale: number;
  dynamicGrowthSteps: number;
  minimumScale?: number;
  maximumScale?: number;
}

interface State {
  setting: OracleSetting;
  exact: Slots;
  error: Slots;
  /** Real updates it took part in, as PyTorch counts. */
  updates: number;
}

interface Sum {
  exact: Float64Array;
  error: Float64Array;
}

type Gradient = ArrayLike<number> | null;

/** The most that rounding x to fp32 changes. */
const rounding = (x: number) => 2 ** -24 * Math.abs(x) + 2 ** -150;
/** The most that √x changes when x does by e. */
const rootError = (x: number, e: number) => Math.sqrt(x) - Math.sqrt(Math.max(0, x - e));
const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
/** An average that takes in a value, the smaller part of their difference added to the nearer one. */
const drawn = (average: number, value: number, beta: number) =>
  beta > 0.5 ? average + (1 - beta) * (value - average) : value + beta * (average - value);
const clipFactor = (size: number, limit: number) => (size <= limit ? 1 : limit / size);
const clamp = (x: number, limit: number) => (Math.abs(x) > limit ? Math.sign(x) * limit : x);
const allocate = (length: number) => Object.fromEntries(slots.map((slot) => [slot, new Float64Array(length)])) as Slots;

export class Oracle {
  readonly states: readonly State[];
  readonly #options: ResolvedOptions;
  readonly #dynamic: DynamicScale | undefined;
  /** Keras' own scalars are fp32: their errors are allowed for too, and every rounding twice. */
  readonly #againstFp32: boolean;
  learningRate: ResolvedOptions["learningRate"];
  lossScale: number;
  steps = 0;
  skippedSteps = 0;
  consecutiveSkips = 0;
  finiteRun = 0;
  /** Of the newest step's norms. */
  normErrors: { parameters: number[]; global: number } = { parameters: [], global: 0 };

  constructor(
    options: ResolvedOptions,
    parameters: readonly { value: ArrayLike<number>; setting?: OracleSetting }[],
    { dynamic, againstFp32 = false }: { dynamic?: DynamicScale | undefined; againstFp32?: boolean } = {},
  ) {
    this.#options = options;
    this.#dynamic = dynamic;
    this.#againstFp32 = againstFp32;
    this.learningRate = options.learningRate;
    this.lossScale = dynamic?.initialScale ?? options.lossScaleFactor ?? 1;
    this.states = parameters.map(({ value, setting = {} }) => {
      const exact = { ...allocate(value.length), value: Float64Array.from(value) };
      return { setting, exact, error: allocate(value.length), updates: 0 };
    });
  }

  get #window(): number {
    return this.#options.gradientAccumulationSteps || 1;
  }

  step(gradients: readonly Gradient[], gradientScale = 1): StepReport {
    const { nonFinite, reportNorms, clipnorm, globalClipnorm, skipAboveNorm, useEma } = this.#options;
    const isUpdate = (this.steps + 1) % this.#window === 0;
    const iteration = Math.floor(this.steps / this.#window);
    const learningRate =
      typeof this.learningRate === "function" && !isUpdate ? null : rateAt(this.learningRate, this.steps, "");
    const { lossScale } = this;

    const sums = this.states.map((state, i) => this.#sum(state, gradients[i], gradientScale / lossScale));
    const norms = sums.map((sum) => (sum ? norm(sum.exact) / this.#window : Number.NaN));
    const normErrors = sums.map((sum) => (sum ? this.#normError(sum) : 0));
    this.normErrors = { parameters: normErrors, global: norm(normErrors) };
    const globalNorm = norm(norms.filter((_, i) => sums[i]));
    const always = nonFinite !== "propagate" || this.#dynamic !== undefined || reportNorms || skipAboveNorm !== null;
    const measured = always || (isUpdate && (clipnorm ?? globalClipnorm) !== null);
    const finite = Number.isFinite(globalNorm);
    const globalClip = globalClipnorm === null ? 1 : finite ? clipFactor(globalNorm, globalClipnorm) : Number.NaN;

    const fails = !finite && (nonFinite !== "propagate" || this.#dynamic !== undefined);
    const held = (this.steps % this.#window) + 1;
    const spikes = skipAboveNorm !== null && !((globalNorm * this.#window) / held <= skipAboveNorm);
    const skipped = fails || spikes;
    if (!skipped) {
      for (const [i, state] of this.states.entries()) {
        if (state.setting.frozen) continue;
        const sum = sums[i];
        if (sum) [state.exact.accumulator, state.error.accumulator] = [sum.exact, sum.error];
        if (sum && isUpdate) {
          const own = clipnorm !== null;
          const [size, error] = own ? [norms[i]!, normErrors[i]!] : [globalNorm, this.normErrors.global];
          const clip = own ? clipFactor(size, clipnorm) : globalClip;
          this.#update(state, clip, clip < 1 && Number.isFinite(size) ? error / size : 0, iteration + 1);
        }
        if (isUpdate) for (const kept of [state.exact, state.error]) kept.accumulator.fill(0);
        if (useEma && (isUpdate || this.#options.emaUpdates === "apply")) this.#average(state, iteration);
      }
      this.steps += 1;
    }
    this.#count(skipped, finite);
    return {
      iteration: Math.floor(this.steps / this.#window),
      microStep: this.steps,
      learningRate,
      lossScale,
      globalNorm: measured && isUpdate ? globalNorm : null,
      clipScale: measured && isUpdate && !Number.isNaN(globalClip) ? globalClip : null,
      finite: measured ? finite : null,
      skipped,
      skippedSteps: this.skippedSteps,
      consecutiveSkips: this.consecutiveSkips,
      ...(reportNorms && isUpdate && { parameterNorms: Float64Array.from(norms) }),
    };
  }

  #rounding(x: number): number {
    return rounding(x) * (this.#againstFp32 ? 2 : 1);
  }

  /** What was accumulated and this gradient, unscaled; null for none. */
  #sum({ exact, error, setting }: State, gradient: Gradient | undefined, scale: number): Sum | null {
    if (!gradient || setting.frozen) return null;
    const sum = { exact: exact.accumulator.slice(), error: error.accumulator.slice() };
    for (let j = 0; j < sum.exact.length; j += 1) {
      const scaled = scale * gradient[j]!;
      sum.exact[j]! += scaled;
      sum.error[j]! += this.#rounding(scaled) + this.#rounding(sum.exact[j]!);
    }
    return sum;
  }

  /** How far its norm may be off: Keras adds up the squares in fp32. */
  #normError({ exact, error }: Sum): number {
    const additions = this.#againstFp32 ? exact.length * rounding(norm(exact)) : 0;
    return (norm(error) + additions) / this.#window;
  }

  #update(state: State, clip: number, clipError: number, iteration: number): void {
    const { exact: x, error: e, setting } = state;
    const { formula, maximize, clipvalue, amsgrad, weightDecay, ...defaults } = this.#options;
    const { beta1, beta2, epsilon } = { ...defaults, ...setting };
    state.updates += 1;
    const t = formula === "torch" ? state.updates : iteration;
    const rate = rateAt(this.learningRate, this.steps, "") * (setting.learningRateMultiplier ?? 1);
    const decay = setting.excluded ? 0 : rate * (setting.weightDecay ?? rateAt(weightDecay, this.steps, ""));
    const correction1 = 1 - beta1 ** t;
    const correction2 = Math.sqrt(1 - beta2 ** t);
    const [stepSize, root] =
      formula === "torch" ? [rate / correction1, 1 / correction2] : [(rate * correction2) / correction1, 1];
    const mean = (clip * (maximize ? -1 : 1)) / this.#window;
    const scalarError = this.#againstFp32 ? this.#scalarError(beta1, beta2, t) : 0;
    const r = (value: number) => this.#rounding(value);

    for (let j = 0; j < x.value.length; j += 1) {
      const unclipped = mean * x.accumulator[j]!;
      const g = clamp(unclipped, clipvalue ?? Number.POSITIVE_INFINITY);
      // An infinite gradient is exact, and so is the limit it is clipped to.
      const inherited = Math.abs(mean) * e.accumulator[j]! + clipError * Math.abs(g);
      const gError = (Number.isFinite(unclipped) ? inherited : 0) + 2 * r(g);

      const error1 = this.#drawnError(x.moment1[j]!, g, beta1);
      x.moment1[j] = drawn(x.moment1[j]!, g, beta1);
      e.moment1[j] = beta1 * e.moment1[j]! + (1 - beta1) * gError + error1 + r(x.moment1[j]!);

      const error2 = this.#drawnError(x.moment2[j]!, g * g, beta2) + Math.min(1, 2 * (1 - beta2)) * r(g * g);
      x.moment2[j] = drawn(x.moment2[j]!, g * g, beta2);
      e.moment2[j] = beta2 * e.moment2[j]! + (1 - beta2) * 2 * Math.abs(g) * gError + error2 + r(x.moment2[j]!);

      x.maxMoment2[j] = Math.max(x.maxMoment2[j]!, x.moment2[j]!);
      e.maxMoment2[j] = Math.max(e.maxMoment2[j]!, e.moment2[j]!);
      const second = amsgrad ? x.maxMoment2[j]! : x.moment2[j]!;
      const secondError = amsgrad ? e.maxMoment2[j]! : e.moment2[j]!;

      const divisor = Math.sqrt(second) * root + epsilon;
      const divisorError = rootError(second, secondError) * root + 3 * r(divisor);
      const update = (stepSize * x.moment1[j]!) / divisor;
      const direction = (e.moment1[j]! + (Math.abs(x.moment1[j]!) * divisorError) / divisor) / divisor;
      const updateError = stepSize * direction + 3 * r(update) + scalarError * Math.abs(update);

      const decayed = decay * x.value[j]!;
      x.value[j]! -= decayed + update;
      e.value[j]! += updateError + r(decayed) + r(decayed + update) + r(x.value[j]!);
    }
  }

  /**
   * What an average's own roundings take, but for that of the result: of the smaller part of the difference, so that a
   * small value in place of a large average is as exact as any other. Keras always adds the part of the value.
   */
  #drawnError(average: number, value: number, beta: number): number {
    const part = this.#againstFp32 ? 1 - beta : Math.min(beta, 1 - beta);
    return 2 * this.#rounding(part * (value - average));
  }

  /** Of Keras' step size: β rounded, raised to t and taken from 1 in fp32; and of its schedules. */
  #scalarError(beta1: number, beta2: number, t: number): number {
    const part = (beta: number) => ((t + 2) * beta ** t + 1) / (1 - beta ** t);
    return 2 ** -24 * (4 + part(beta1) + part(beta2) / 2) + (typeof this.learningRate === "number" ? 0 : 1e-5);
  }

  #average({ exact: x, error: e }: State, iteration: number): void {
    const { emaMomentum, emaOverwriteFrequency: frequency } = this.#options;
    const taken = 1 - emaMomentum;
    for (let j = 0; iteration > 0 && j < x.value.length; j += 1) {
      const difference = x.value[j]! - x.ema[j]!;
      const ownError = this.#drawnError(x.ema[j]!, x.value[j]!, emaMomentum);
      x.ema[j] = drawn(x.ema[j]!, x.value[j]!, emaMomentum);
      e.ema[j] = emaMomentum * e.ema[j]! + taken * e.value[j]! + ownError;
      // Keras' 1 − μ is taken in fp32.
      e.ema[j]! += this.#rounding(x.ema[j]!) + (this.#againstFp32 ? rounding(difference) : 0);
    }
    if (iteration === 0) {
      x.ema.set(x.value);
      e.ema.set(e.value);
    }
    if (!frequency || (iteration + 1) % frequency !== 0) return;
    x.value.set(x.ema);
    e.value.set(e.ema);
  }

  #count(skipped: boolean, finite: boolean): void {
    this.skippedSteps += Number(skipped);
    this.consecutiveSkips = skipped ? this.consecutiveSkips + 1 : 0;
    if (!this.#dynamic) return;
    const { dynamicGrowthSteps, minimumScale = 2 ** -126, maximumScale = 2 ** 127 } = this.#dynamic;
    if (!finite) {
      this.lossScale = Math.max(this.lossScale / 2, minimumScale);
      this.finiteRun = 0;
    } else if (!skipped) {
      this.finiteRun += 1;
      if (this.finiteRun < dynamicGrowthSteps) return;
      this.lossScale = Math.min(this.lossScale * 2, maximumScale);
      this.finiteRun = 0;
    }
  }
}
