/** How much memory an optimizer will take. */

import { type DType, dtypeKind, dtypes } from "./dtypes.js";
import { invalid } from "./errors.js";
import { resolveGroups } from "./groups.js";
import { type Layout, native } from "./native.js";
import type { ResolvedOptions } from "./options.js";
import { shapeKind } from "./parameters.js";
import { isRecord, type Kind, listOf, parse, text } from "./validate.js";
import { parameterSlots } from "./variables.js";

/** Bytes, before anything is allocated. */
export interface OptimizerPlan {
  /** Elements of all parameters, frozen ones too. */
  readonly parameters: number;
  /** Bytes of the parameters' values. */
  readonly values: number;
  /** Bytes of the trained parameters' gradients. */
  readonly gradients: number;
  /** Bytes of each slot that the optimizer keeps, by Keras' name. */
  readonly slots: Readonly<Record<string, number>>;
  /** Bytes of all slots: in host memory on a CPU device and with `offload: "cpu"`, else in the GPU's. */
  readonly state: number;
  /** Bytes of values, gradients and state. */
  readonly total: number;
}

const plannedKind: Kind<PlannedParameter> = {
  expected: "an object { name, shape }",
  accepts: isRecord,
  copy: ({ name, shape, dtype = "float32" }, where) => ({
    name: parse(text, name, `${where}.name`),
    shape: parse(shapeKind, shape, `${where}.shape`),
    dtype: parse(dtypeKind, dtype, `${where}.dtype`),
  }),
};

/** A parameter that may not exist yet. */
export interface PlannedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /**
   * The type of its value; gradients are of the type that goes with it. All trained parameters have one.
   * @default "float32"
   */
  readonly dtype?: DType;
}

/** @throws INVALID_ARGUMENT */
export function planMemory(options: ResolvedOptions, planned: readonly PlannedParameter[]): OptimizerPlan {
  const parameters = parse(listOf(plannedKind), planned, "parameters");
  const groups = resolveGroups(options.groups, parameters);
  const trained = parameters.filter((_, i) => !groups[i]?.frozen);
  const layout = layoutOf(trained);
  const slots: Record<string, number> = {};
  for (const { parameter, kerasName } of parameterSlots(options, trained)) {
    slots[kerasName] = (slots[kerasName] ?? 0) + bytes(parameter, layout.state);
  }
  const state = Object.values(slots).reduce((a, b) => a + b, 0);
  const values = sum(parameters, (parameter) => bytes(parameter, parameter.dtype ?? layout.parameter));
  const gradients = sum(trained, (parameter) => bytes(parameter, layout.gradient));
  return {
    parameters: sum(parameters, elements),
    values,
    gradients,
    slots,
    state,
    total: values + gradients + state,
  };
}

const elements = ({ shape }: PlannedParameter) => shape.reduce((a, b) => a * b, 1);
const bytes = (parameter: PlannedParameter, dtype: DType) => elements(parameter) * dtypes[dtype].bytes;
const sum = (list: readonly PlannedParameter[], count: (parameter: PlannedParameter) => number) =>
  list.reduce((total, parameter) => total + count(parameter), 0);

/** What a built optimizer would have. @throws INVALID_ARGUMENT */
function layoutOf(trained: readonly PlannedParameter[]): Layout {
  const dtype = trained[0]?.dtype ?? "float32";
  const other = trained.find((parameter) => parameter.dtype !== dtype && parameter.dtype !== undefined);
  if (other) throw invalid(`the dtype of ${other.name}`, `${dtype}, as ${trained[0]?.name} has,`, other.dtype);
  const layout = native.layouts.find(({ parameter }) => parameter === dtype);
  if (layout) return layout;
  throw invalid("dtype", native.layouts.map(({ parameter }) => parameter).join(" or "), dtype);
}
