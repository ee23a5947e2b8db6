/** Gradients as `apply` takes them. */

import { AdamWError, invalid, unexpected } from "./errors.js";
import type { TensorMemory } from "./memory.js";
import type { Parameter } from "./parameters.js";
import { isRecord } from "./validate.js";

/** One entry per parameter in the order of build, or by name; null: no gradient in this step. */
export type Gradients = readonly (TensorMemory | null)[] | Readonly<Record<string, TensorMemory | null>>;

/** What to step with, by row; undefined: what the addon points at already. */
export type StepGradients = (TensorMemory | null)[] | undefined;

type GradientList = readonly (TensorMemory | null)[];

/**
 * One entry per parameter, in their order; the entries are still to be checked.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH
 */
export function listGradients(gradients: Gradients, parameters: readonly Parameter[]): GradientList {
  const list = Array.isArray(gradients) ? (gradients as GradientList) : fromRecord(gradients, parameters);
  if (list.length === parameters.length) return list;
  const message = `Expected one gradient (or null) for each of ${parameters.length} parameters but received ${list.length}`;
  throw new AdamWError("LENGTH_MISMATCH", message);
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
