/** What of a checkpoint and of an optimizer does not fit together, told by parameters: each has several tensors. */

import { either, some } from "../errors.js";
import { roleNames, splitTensorName, stepName } from "./names.js";

export interface NotLoaded {
  /** The tensor, under the name its parameter has in the optimizer, "learningRate" or "lossScale". */
  readonly name: string;
  readonly reason: string;
}

export interface Misfit extends NotLoaded {
  /** Where they differ: that in the file and that here. */
  readonly shapes?: readonly [stored: readonly number[], own: readonly number[]] | undefined;
}

/**
 * What is to be said of all of them, the names of a few parameters with each: "parameters only here: a, b and 3 more;
 * …".
 *
 * @param stored the parameters that the file has tensors of, under the names they have in the optimizer
 * @param own the optimizer's
 */
export function describeMisfits(
  misfits: readonly Misfit[],
  stored: ReadonlySet<string>,
  own: ReadonlySet<string>,
): string {
  const told = new Map<string, { before: string; names: Set<string>; after: string }>();
  const tell = (before: string, name: string, after = "") => {
    const key = JSON.stringify([before, after]);
    told.set(key, { before, names: (told.get(key)?.names ?? new Set()).add(name), after });
  };
  const slots = new Map<string, { reason: string; parameter: string; roles: string[] }>();
  for (const { name, reason, shapes } of misfits) {
    const { parameter, role } = splitTensorName(name) ?? {};
    if (parameter === undefined || role === undefined) tell("", name, ` (${reason})`);
    else if (!own.has(parameter)) tell("parameters only in the file: ", parameter);
    else if (!stored.has(parameter)) tell("parameters only here: ", parameter);
    else if (shapes && role !== stepName) {
      const [theirs, ours] = shapes.map((shape) => `[${shape.join(", ")}]`);
      tell("other shapes: ", `${parameter} (${theirs} in the file, ${ours} here)`);
    } else {
      const key = JSON.stringify([parameter, reason]);
      const { roles } = slots.get(key) ?? { roles: [] };
      slots.set(key, { reason, parameter, roles: [...roles, roleNames[role]] });
    }
  }
  for (const { reason, parameter, roles } of slots.values()) {
    tell(`${either(roles, "and")} of `, parameter, ` (${reason})`);
  }
  return [...told.values()].map(({ before, names, after }) => before + some([...names]) + after).join("; ");
}
