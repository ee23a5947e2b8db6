/** The moving averages of the parameters, and which of the two the parameters' memory holds. */

import type { Engine } from "./engine.js";
import { AdamWError } from "./errors.js";

export class Averages {
  readonly #engine: Engine;
  #swapped = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Whether the parameters hold their averages, which a step would take for the parameters. */
  get swapped(): boolean {
    return this.#swapped;
  }

  /** @throws INVALID_ARGUMENT when they are swapped already or have not begun, DETACHED */
  swap(): void {
    if (!this.#engine.hasAverages()) {
      const message = 'There are no averages before the first step, with emaUpdates: "update" before the first update';
      throw new AdamWError("INVALID_ARGUMENT", message);
    }
    if (this.#swapped) throw new AdamWError("INVALID_ARGUMENT", "swapEma() can be called once before restoreEma()");
    this.#exchange(true);
  }

  /** @throws INVALID_ARGUMENT when they are not swapped, DETACHED */
  restore(): void {
    if (!this.#swapped) throw new AdamWError("INVALID_ARGUMENT", "restoreEma() undoes one swapEma()");
    this.#exchange(false);
  }

  #exchange(swapped: boolean): void {
    this.#engine.settle();
    try {
      this.#engine.exchangeEma();
      this.#swapped = swapped;
    } catch (error) {
      // The memory holds some of each then, and the engine waits for a checkpoint: what that brings are no averages.
      if (error instanceof AdamWError && error.code === "CUDA") this.#swapped = false;
      throw error;
    }
  }

  /** The parameters become their averages, which stay what they are; nothing before these begin. @throws DETACHED */
  finalize(): void {
    if (!this.#engine.hasAverages()) return;
    if (this.#swapped) this.restore();
    this.#engine.applyEma();
  }
}
