/** What an optimizer keeps for its parameters: moments, averages, accumulators, each as long as its parameter. */

import type { Bindings } from "./bindings.js";
import type { DType, HostArray } from "./dtypes.js";
import { makeArray } from "./host-array.js";
import { native } from "./native.js";
import type { Parameter } from "./parameters.js";
import type { Stepper } from "./stepper.js";

/** What the addon keeps per parameter. */
export type SlotName = "moment1" | "moment2" | "maxMoment2" | "ema" | "accumulator";

const names = native.tables.slots as readonly SlotName[];

export class Slots {
  /** The type of their elements. */
  readonly dtype: DType;
  /** Whether they are what build() made them, zeros. */
  isNew = true;
  readonly #stepper: Stepper;
  readonly #bindings: Bindings;

  constructor(dtype: DType, stepper: Stepper, bindings: Bindings) {
    this.dtype = dtype;
    this.#stepper = stepper;
    this.#bindings = bindings;
  }

  /** A copy of a slot, or into `to` its elements from `offset` on. @throws BUSY, and what went wrong in a step */
  read(
    parameter: Parameter,
    slot: SlotName,
    to: HostArray = makeArray(this.dtype, parameter.length),
    offset?: number,
  ): HostArray {
    return this.#stepper.settled.readSlot(this.#row(parameter), names.indexOf(slot), to, offset);
  }

  /** Sets a slot, or its elements from `offset` on. @throws BUSY */
  write(parameter: Parameter, slot: SlotName, value: HostArray, offset?: number): void {
    this.isNew = false;
    this.#stepper.idle.writeSlot(this.#row(parameter), names.indexOf(slot), value, offset);
  }

  /**
   * A slot's own memory from element `offset` on, to be taken back before anything else happens to the optimizer;
   * undefined where JavaScript cannot have it. V8 collects its garbage when it is given 64 MB at once.
   *
   * @throws BUSY, and what went wrong in a step
   */
  lend(parameter: Parameter, slot: SlotName, offset: number, count: number): HostArray | undefined {
    this.isNew = false;
    return this.#stepper.settled.lendSlot(this.#row(parameter), names.indexOf(slot), offset, count);
  }

  /** Nobody reaches the slot by this array any more. */
  takeBack(lent: ArrayBufferView): void {
    native.detach(lent);
  }

  #row(parameter: Parameter): number {
    return this.#bindings.rowOf(parameter) ?? -1;
  }
}
