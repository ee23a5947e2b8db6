/** The one copy of the state that a save writes from while steps go on; made at the first save and used again. */

import { type DType, dtypes, type HostArray } from "../dtypes.js";
import type { Engine } from "../engine.js";
import { AdamWError } from "../errors.js";
import { makeArray } from "../host-array.js";
import { dtypeOf } from "../memory.js";
import type { Tensor } from "./checkpoint.js";
import {
  bytesOf,
  copiedValues,
  memoryTensor,
  type OptimizerState,
  stateSlots,
  stepTensors,
} from "./optimizer-state.js";

const snapshots = new WeakMap<Engine, Snapshot>();

/** The snapshot that belongs to an optimizer. */
export function snapshotOf(engine: Engine): Snapshot {
  const known = snapshots.get(engine);
  if (known) return known;
  const made = new Snapshot();
  snapshots.set(engine, made);
  return made;
}

export class Snapshot {
  readonly #arrays = new Map<string, HostArray>();
  #inUse = false;

  /** The state as it is now, to be read until `release`. @throws BUSY while an earlier save is still being written */
  take(state: OptimizerState, withValues: boolean): Tensor[] {
    if (this.#inUse) throw new AdamWError("BUSY", "An earlier save is still being written: await it first");
    const { slots } = state.engine;
    const { dtype } = slots;
    const kept = stateSlots(state).map(({ name, parameter, slot }) => {
      const copy = slots.read(parameter, slot, this.#array(name, dtype, parameter.length));
      return memoryTensor(name, dtypes[dtype].stored, parameter.shape, bytesOf(copy));
    });
    const values = withValues
      ? copiedValues(state, (name, value) => {
          const copy = this.#array(name, dtypeOf(value), value.length);
          copy.set(value);
          return copy;
        })
      : [];
    this.#inUse = true;
    return [...stepTensors(state), ...kept, ...values];
  }

  release(): void {
    this.#inUse = false;
  }

  #array(name: string, dtype: DType, length: number): HostArray {
    const known = this.#arrays.get(name);
    if (known) return known;
    const made = makeArray(dtype, length);
    this.#arrays.set(name, made);
    return made;
  }
}
