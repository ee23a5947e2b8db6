/** The moving averages that a checkpoint does not bring. */

import { checkMemory } from "../memory.js";
import type { Transfer } from "./load-plan.js";
import { liveValue, type OptimizerState, stateSlots } from "./optimizer-state.js";

/**
 * Copies of the parameters for the averages that `loaded` leaves out. An average begins as one, and an optimizer whose
 * averages have not begun gets a count of `steps` that is beyond it: the average would go on from zeros instead.
 *
 * @throws DETACHED, LENGTH_MISMATCH where a parameter has lost its memory
 */
export function newAverages(state: OptimizerState, loaded: readonly Transfer[], steps: number): Transfer[] {
  if (state.engine.hasAverages() || !state.engine.hasAverages(steps)) return [];
  const known = new Set(loaded.filter(({ slot }) => slot === "ema").map(({ parameter }) => parameter));
  return stateSlots(state).flatMap(({ parameter, slot }) => {
    if (slot !== "ema" || known.has(parameter)) return [];
    checkMemory(parameter.value, `the value of ${parameter.name}`, parameter.length);
    return [{ tensor: liveValue(parameter), parameter, slot }];
  });
}
