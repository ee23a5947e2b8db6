/** What a manager of checkpoints saves. */

import { AdamWError } from "../errors.js";
import type { Kind } from "../validate.js";
import type { LoadOptions, LoadReport } from "./load.js";
import type { SaveOptions, SaveReport } from "./save.js";

/** What the manager needs of an AdamW or a LossScaleOptimizer. */
export interface Saveable {
  /** Whether it has its parameters. */
  readonly built: boolean;
  readonly iterations: number;
  /** Of the newest step: raw steps tell states within an accumulation apart. */
  readonly report?: { readonly microStep: number } | null;
  save(path: string, options?: SaveOptions): Promise<SaveReport>;
  load(path: string, options?: LoadOptions): Promise<LoadReport>;
}

export const saveableKind: Kind<Saveable> = {
  expected: "an AdamW or a LossScaleOptimizer",
  accepts: (value) => typeof (value as Saveable | null)?.save === "function",
};

/**
 * An optimizer without parameters has nothing to save or to load into, whatever is in the folder: a program that
 * forgets build() is to hear of it in its first run.
 *
 * @throws NOT_BUILT, DISPOSED
 */
export function checkBuilt(optimizer: Saveable): void {
  if (optimizer.built) return;
  // One that was disposed says so when asked for its count.
  optimizer.iterations;
  throw new AdamWError("NOT_BUILT", "The optimizer has no parameters yet: call build() before the manager's methods");
}
