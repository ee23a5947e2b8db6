import { readFileSync } from "node:fs";

/** A parameter of every trajectory: its whole name (Keras' `variable.path`) and its shape. */
export interface GoldenParameter {
  name: string;
  shape: number[];
}

/** Flat values, one array per parameter. */
export type Values = number[][];

/** One flat array per parameter; null where the step had no gradient. */
export type Gradients = (number[] | null)[];

/** What happened before a step, in the order given. */
export interface GoldenEvent {
  beforeStep: number;
  setLearningRate?: number;
  /** Set on Keras' `iteration` variable, which counts raw steps. */
  setIterations?: number;
}

interface Trajectory {
  name: string;
  steps: number;
  parameters: GoldenParameter[];
  initial: Values;
  /** What was passed to the optimizer at each step. */
  gradients: Gradients[];
  events?: GoldenEvent[];
  /** The parameters after each step. */
  trajectory: Values[];
}

/** What `keras.optimizers.serialize` and `schedules.serialize` return. */
export interface Serialized {
  module: string;
  class_name: string;
  config: Record<string, unknown>;
  registered_name: string | null;
}

/** One entry of Keras' `optimizer.variables`; a scalar has shape `[]` and one value. */
export interface GoldenVariable {
  path: string;
  shape: number[];
  dtype: string;
  value: number[];
}

export interface KerasCase extends Trajectory {
  /** `optimizer.get_config()`, of the LossScaleOptimizer where there is one. */
  config: Record<string, unknown>;
  serialized: Serialized;
  /** Present: an AdamW inside a LossScaleOptimizer. */
  lossScale?: { initialScale: number; dynamicGrowthSteps: number };
  /** The arguments of `exclude_from_weight_decay`; `var_list` holds parameter names. */
  exclude?: { var_names?: string[]; var_list?: string[] };
  /** `optimizer.learning_rate` before each step, at the raw iteration the step sees. */
  learningRates: number[];
  /** `dynamic_scale` after each step. */
  scales?: number[];
  /** `optimizer.iterations` (raw steps // accumulation) and `optimizer.variables` after the last step. */
  final: { iterations: number; variables: GoldenVariable[] };
  /** The parameters after `finalize_variable_values`, called after `final` was read. */
  finalized?: Values;
}

/** One of `param_groups`: every option is given, `params` are parameter names. */
export interface TorchGroup {
  params: string[];
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  amsgrad: boolean;
  maximize: boolean;
}

/** PyTorch's state of one parameter. */
export interface TorchState {
  step: number;
  exp_avg: number[];
  exp_avg_sq: number[];
  max_exp_avg_sq?: number[];
}

export interface TorchCase extends Trajectory {
  groups: TorchGroup[];
  /** By parameter name; absent for a parameter that never had a gradient. */
  final: { state: Record<string, TorchState> };
}

export interface ScheduleCase {
  name: string;
  class_name: string;
  config: Record<string, unknown>;
  serialized: Serialized;
  steps: number[];
  /** The rate at each of `steps`. */
  values: number[];
}

export interface ConfigCase {
  name: string;
  backend: "numpy" | "torch";
  floatx: "float32" | "float64";
  class_name: "AdamW" | "LossScaleOptimizer";
  config: Record<string, unknown>;
  /**
   * `json.dumps(config, separators=(",", ":"))`: Python writes `1e-07` and `1.0` where JavaScript writes `1e-7` and
   * `1`.
   */
  configJson: string;
  serialized: Serialized;
  serializedJson: string;
}

/** Every fixture file and the type of its cases. */
interface GoldenCases {
  "keras-float64": KerasCase;
  "keras-float32": KerasCase;
  "torch-float64": TorchCase;
  schedules: ScheduleCase;
  configs: ConfigCase;
}

/** A fixture file; `library` is the name and version of what was recorded. */
export interface Golden<Case> {
  library: string;
  cases: Case[];
}

/** A trajectory file holds its inputs once; a case names the gradients that are missing or replaced. */
interface StoredTrajectories extends Golden<StoredTrajectory> {
  parameters: GoldenParameter[];
  initial: Values;
  gradients: Values[];
}

interface StoredTrajectory {
  steps: number;
  missing?: { step: number; parameter: string }[];
  faults?: { step: number; parameter: string; element: number; value: number }[];
}

const nonFinite = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/** Reads a fixture; every trajectory case comes with its own copy of parameters, initial values and gradients. */
export function loadGolden<Name extends keyof GoldenCases>(name: Name): Golden<GoldenCases[Name]> {
  const text = readFileSync(new URL(`${name}.json`, import.meta.url), "utf8");
  const fixture = JSON.parse(text, (_key, value) => nonFinite.get(value) ?? value);
  return "gradients" in fixture ? withInputs(fixture) : fixture;
}

function withInputs<Case>(fixture: StoredTrajectories): Golden<Case> {
  const { library, parameters, initial } = fixture;
  const cases = fixture.cases.map((stored) => ({
    ...stored,
    ...structuredClone({ parameters, initial }),
    gradients: gradientsOf(stored, fixture),
  }));
  return { library, cases: cases as Case[] };
}

function gradientsOf(
  { steps, missing = [], faults = [] }: StoredTrajectory,
  { gradients, parameters }: StoredTrajectories,
) {
  const result: Gradients[] = structuredClone(gradients.slice(0, steps));
  const indexOf = (name: string) => parameters.findIndex((parameter) => parameter.name === name);
  for (const { step, parameter, element, value } of faults) result[step]![indexOf(parameter)]![element] = value;
  for (const { step, parameter } of missing) result[step]![indexOf(parameter)] = null;
  return result;
}
