/** State of a parameter that means something only together, of which a file has a part that fits. */

import type { Misfit } from "./misfits.js";
import { type Role, splitTensorName, stepName, tensorName } from "./names.js";

/**
 * Both moments and the count of what went into them. A count above new moments takes the bias correction from them, and
 * the steps after it are several times too large; moments below a count of 0 are corrected a second time; a first
 * moment is divided by the root of the second.
 */
const together: readonly Role[] = [stepName, "moment1", "moment2"];
/** Nothing without them, while they are whole without it. */
const dependent: readonly Role[] = [...together, "maxMoment2"];

/** A tensor on its way. */
interface Part {
  readonly parameter: { readonly name: string };
  readonly slot: Role;
}

export interface Wholes<T> {
  readonly transfers: readonly T[];
  /** Each with the tensor that it is no use without. */
  readonly halves: readonly Misfit[];
}

/** The transfers without the halves of what `misfits` leave incomplete. */
export function withoutHalves<T extends Part>(transfers: readonly T[], misfits: readonly Misfit[]): Wholes<T> {
  const lacking = new Map<string, string>();
  for (const { name } of misfits) {
    const parts = splitTensorName(name);
    if (parts && together.includes(parts.role) && !lacking.has(parts.parameter)) lacking.set(parts.parameter, name);
  }
  const isHalf = ({ parameter, slot }: Part) => dependent.includes(slot) && lacking.has(parameter.name);
  return {
    transfers: transfers.filter((transfer) => !isHalf(transfer)),
    halves: transfers.filter(isHalf).map(({ parameter, slot }) => ({
      name: tensorName(parameter.name, slot),
      reason: `it belongs to ${lacking.get(parameter.name)}, which is not loaded`,
    })),
  };
}
