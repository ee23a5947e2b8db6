/** How much memory an optimizer will take. */

import { resolveGroups } from "./groups.js";
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
  copy: ({ name, shape }, where) => ({
    name: parse(text, name, `${where}.name`),
    shape: parse(shapeKind, shape, `${where}.shape`),
  }),
};

const bytesPerElement = Float32Array.BYTES_PER_ELEMENT;

/** A parameter that may not exist yet. */
export interface PlannedParameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/** @throws INVALID_ARGUMENT */
export function planMemory(options: ResolvedOptions, planned: readonly PlannedParameter[]): OptimizerPlan {
  const parameters = parse(listOf(plannedKind), planned, "parameters");
  const count = ({ shape }: { shape: readonly number[] }) => shape.reduce((a, b) => a * b, 1);
  const bytes = (list: readonly { shape: readonly number[] }[]) =>
    list.reduce((sum, parameter) => sum + count(parameter) * bytesPerElement, 0);
  const groups = resolveGroups(options.groups, parameters);
  const trained = parameters.filter((_, i) => !groups[i]?.frozen);
  const slots: Record<string, number> = {};
  for (const { parameter, kerasName } of parameterSlots(options, trained)) {
    slots[kerasName] = (slots[kerasName] ?? 0) + bytes([parameter]);
  }
  const state = Object.values(slots).reduce((a, b) => a + b, 0);
  const values = bytes(parameters);
  const gradients = bytes(trained);
  return {
    parameters: values / bytesPerElement,
    values,
    gradients,
    slots,
    state,
    total: values + gradients + state,
  };
}
