/** Other memory for built parameters, as `rebind` takes it. */

import { invalid } from "./errors.js";
import { checkMemory, dtypeOf, type TensorMemory } from "./memory.js";
import type { Layout } from "./native.js";
import { checkOverlap, type Parameter } from "./parameters.js";
import { parseRecord } from "./validate.js";

/** Other memory for a built parameter; what is absent stays. */
export interface Rebinding {
  name: string;
  value?: TensorMemory;
  gradient?: TensorMemory | null;
}

/** The memory of a parameter. */
export type Memory = Pick<Parameter, "value" | "gradient">;

/** The memory that changes. */
export type Rebindings = ReadonlyMap<Parameter, Partial<Memory>>;

/**
 * The memory that changes, by parameter. What stays is not looked at: it may be gone, and be rebound by the next call.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
 */
export function parseRebindings(
  parameters: readonly Parameter[],
  bindings: readonly Rebinding[],
  layout: Pick<Layout, "gradient">,
): Rebindings {
  if (!Array.isArray(bindings)) throw invalid("bindings", "an array of { name, value, gradient }", bindings);
  const changed = new Map<Parameter, Partial<Memory>>();
  bindings.forEach((binding: Rebinding, i) => {
    const { name } = parseRecord(binding, `bindings[${i}]`, ["name", "value", "gradient"]);
    const parameter = parameters.find((candidate) => candidate.name === name);
    if (!parameter) throw invalid(`bindings[${i}].name`, "the name of a built parameter", name);
    const { value, gradient } = binding;
    const memory: Partial<Memory> = changed.get(parameter) ?? {};
    if ((value !== undefined && "value" in memory) || (gradient !== undefined && "gradient" in memory)) {
      throw invalid(`bindings[${i}].name`, "one value and one gradient at most for each parameter", name);
    }
    const { length } = parameter;
    if (value !== undefined) {
      memory.value = checkMemory(value, `the value of ${parameter.name}`, length, dtypeOf(parameter.value));
    }
    if (gradient !== undefined) {
      memory.gradient = gradient && checkMemory(gradient, `the gradient of ${parameter.name}`, length, layout.gradient);
    }
    changed.set(parameter, memory);
  });
  checkOverlap(parameters.map((parameter) => ({ ...parameter, ...changed.get(parameter) })));
  return changed;
}
