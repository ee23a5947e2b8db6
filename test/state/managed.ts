/** What the tests of CheckpointManager save. */

import { AdamW } from "../../lib/index.js";

/** An optimizer of fifty numbers, and its step. */
export function makeManaged(options: ConstructorParameters<typeof AdamW>[0] = {}) {
  const optimizer = new AdamW(options);
  const value = new Float32Array(50);
  optimizer.build([{ name: "w", value }]);
  return { optimizer, step: () => optimizer.apply([value.map((_, i) => i)]) };
}

/** The file of the checkpoint at an iteration. */
export function checkpointName(iteration: number): string {
  return `checkpoint-${String(iteration).padStart(12, "0")}.safetensors`;
}
