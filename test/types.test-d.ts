/** What the compiler must accept and reject; `npm run types` runs it, nothing executes it. */

import {
  AdamW,
  AdamWError,
  type AdamWOptions,
  type ErrorCode,
  type Gradients,
  type HostArray,
  type LearningRateSchedule,
  LossScaleOptimizer,
  type LossScaleOptions,
  type OptimizerPlan,
  type Parameter,
  type ParameterInit,
  type StepReport,
  schedules,
  type Variable,
} from "../lib/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void {}

const value = new Float32Array(2);
const optimizer = new AdamW();

export function options(): void {
  new AdamW({ learningRate: 1e-3, weightDecay: new schedules.CosineDecay({ initialLearningRate: 1, decaySteps: 9 }) });
  new AdamW({ learningRate: () => 1, clipnorm: null, gradientAccumulationSteps: 0 }, { device: "cpu", threads: 2 });
  new AdamW({
    groups: [
      { match: /bias$/, weightDecay: 0 },
      { match: { maxRank: 1 }, frozen: true, optional: true },
    ],
  });
  new AdamW({ excludeFromWeightDecay: { names: ["bias", /norm/], parameters: [value, { name: "a" }] } });
  // @ts-expect-error camelCase
  new AdamW({ learning_rate: 1e-3 });
  // @ts-expect-error a number
  new AdamW({ beta1: "0.9" });
  // @ts-expect-error a union of three
  new AdamW({ nonFinite: "ignore" });
  // @ts-expect-error weight decay is no function
  new AdamW({ weightDecay: () => 0.1 });
  // @ts-expect-error null switches options off, undefined leaves them out
  new AdamW({ clipnorm: undefined });
  // @ts-expect-error a group has one match
  new AdamW({ groups: [{ weightDecay: 0 }] });
  // @ts-expect-error one number
  new AdamW({ groups: [{ match: { rank: "1" } }] });
  // @ts-expect-error no third argument
  new AdamW({}, {}, {});
  const resolved: AdamWOptions = { formula: "torch", emaUpdates: "update" };
  new LossScaleOptimizer(new AdamW(resolved), { initialScale: 2 } satisfies LossScaleOptions);
  // @ts-expect-error an optimizer
  new LossScaleOptimizer({});
}

export function building(): void {
  const init: ParameterInit = { name: "a", value, gradient: null, shape: [2, 1] as const };
  same<ReturnType<typeof optimizer.build>, AdamW>();
  optimizer.build([init, { name: "b", value }]);
  // @ts-expect-error a name
  optimizer.build([{ value }]);
  // @ts-expect-error a Float32Array
  optimizer.build([{ name: "a", value: [1, 2] }]);
  // @ts-expect-error a Float32Array, not another typed array
  optimizer.build([{ name: "a", value: new Float64Array(2) }]);
  optimizer.build([{ name: "a", value: new Float32Array(new SharedArrayBuffer(8)) }]);
  optimizer.rebind([{ name: "a", gradient: null }]);
  // @ts-expect-error a value cannot be taken away
  optimizer.rebind([{ name: "a", value: null }]);
  const [parameter] = optimizer.parameters;
  same<typeof parameter, Readonly<Parameter> | undefined>();
  // @ts-expect-error rebind() changes memory
  (parameter as Readonly<Parameter>).value = value;
  same<ReturnType<typeof AdamW.plan>, OptimizerPlan>();
  // @ts-expect-error a shape
  AdamW.plan({}, [{ name: "a" }]);
}

export async function stepping(): Promise<void> {
  optimizer.apply([value, null]);
  optimizer.apply({ a: value, b: null } as const);
  optimizer.apply([value] as readonly Float32Array[], { gradientScale: 0.5 });
  // @ts-expect-error null means none, undefined is a mistake
  optimizer.apply([value, undefined]);
  // @ts-expect-error null means none, undefined is a mistake
  optimizer.apply({ a: undefined });
  // @ts-expect-error a list
  optimizer.apply();
  // @ts-expect-error a list, even of one
  optimizer.apply(new Float64Array(2));
  // @ts-expect-error only asynchronous steps can be stopped
  optimizer.step({ signal: new AbortController().signal });
  same<ReturnType<typeof optimizer.step>, StepReport | undefined>();
  same<Awaited<ReturnType<typeof optimizer.stepAsync>>, StepReport>();
  await optimizer.applyAsync([value], { signal: new AbortController().signal, gradientScale: 2 });
  same<typeof optimizer.report, StepReport | null>();
  same<StepReport["globalNorm"], number | null>();
  same<StepReport["parameterNorms"], Float64Array | undefined>();
  // @ts-expect-error a report is for reading
  optimizer.step()!.iteration = 3;
  const either = [optimizer, new LossScaleOptimizer(optimizer)] as const;
  const gradients: Gradients = [null];
  for (const any of either) any.apply(gradients)?.skipped satisfies boolean | undefined;
}

export function state(): void {
  optimizer.learningRate = 1e-3;
  optimizer.learningRate satisfies number;
  // @ts-expect-error a number, a schedule or a function
  optimizer.learningRate = "fast";
  // @ts-expect-error counted, not set
  optimizer.iterations = 1;
  same<typeof optimizer.variables, Variable[]>();
  same<Variable["value"], HostArray | Int32Array>();
  optimizer.setWeights(optimizer.variables);
  // @ts-expect-error variables, not arrays
  optimizer.setWeights([value]);
}

export function extending(): void {
  const constant: LearningRateSchedule = { at: (step) => step, getConfig: () => ({}) };
  new AdamW({ learningRate: constant });
  // @ts-expect-error every schedule has a configuration
  const half: LearningRateSchedule = { at: () => 1 };
  const code: ErrorCode = new AdamWError("BUSY", "busy").code;
  // @ts-expect-error one of the codes
  new AdamWError("UNKNOWN", "unknown");
  void [half, code];
}
