/** Gradients as `apply` takes them. */

import { AdamWError, invalid, unexpected } from "./errors.js";
import type { TensorMemory } from "./memory.js";
import type { Parameter } from "./parameters.js";
import { isRecord } from "./validate.js";

/** One entry per parameter in the order of build, or by name; null: no gradient in this step. */
export type Gradients = readonly (TensorMemory | null)[] | Readonly<Record<string, TensorMemory | null>>;

/** What to step with, by row; undefined: what the addon points at already. */
export type StepGradients = (TensorMemory | null)[] | undefined;

/** One entry per parameter, in the order of build. */
export type GradientList = (TensorMemory | null)[];

/**
 * A list of its own of what is passed, one entry per parameter in their order; the entries are still to be checked.
 * The list's getters and proxies can run any code, and none of it may run between what is checked and what is used.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH
 */
export function listGradients(gradients: Gradients, parameters: readonly Parameter[]): GradientList {
  if (!Array.isArray(gradients)) return fromRecord(gradients, parameters);
  const count = parameters.length;
  if (gradients.length !== count) {
    const message = `Expected one gradient (or null) for each of ${count} parameters but received ${gradients.length}`;
    throw new AdamWError("LENGTH_MISMATCH", message);
  }
  const list: GradientList = new Array(count);
  for (let i = 0; i < count; i += 1) list[i] = gradients[i];
  return list;
}

function fromRecord(gradients: unknown, parameters: readonly Parameter[]): GradientList {
  if (!isRecord(gradients)) {
    throw invalid("gradients", "an array with one entry per parameter or an object by name", gradients);
  }
  const names = new Set(parameters.map(({ name }) => name));
  for (const name of Object.keys(gradients)) {
    if (!names.has(name)) throw unexpected("gradients by the names of built parameters", name);
  }
  return parameters.map(({ name }) => (Object.hasOwn(gradients, name) ? (gradients[name] as TensorMemory) : null));
}

/** Gradients must be named: a forgotten variable is no wish for the bound ones, which `alternative` uses. */
export function givenGradients(gradients: Gradients, alternative: string): Gradients {
  if (gradients !== undefined) return gradients;
  throw unexpected(`an array or an object of gradients (${alternative}() uses those that are bound)`, gradients);
}
