import type { Variable } from "../lib/index.js";
import type { Slots } from "./oracle.js";

/** Keras' names of what an optimizer keeps per parameter. */
export const kerasSlots: Readonly<Record<string, keyof Slots>> = {
  average: "ema",
  gradient_accumulator: "accumulator",
  momentum: "moment1",
  velocity: "moment2",
  velocity_hat: "maxMoment2",
};

/** Which parameter's slot the variable of this path is; undefined for a scalar. */
export function slotAt(
  path: string,
  parameters: readonly { name: string }[],
): { index: number; slot: keyof Slots } | undefined {
  for (const [index, { name }] of parameters.entries()) {
    const start = `adamw/${name.replaceAll("/", "_")}_`;
    const slot = path.startsWith(start) ? kerasSlots[path.slice(start.length)] : undefined;
    if (slot) return { index, slot };
  }
  return undefined;
}

/** The optimizer's slots by parameter. */
export function readSlots(
  variables: readonly Variable[],
  parameters: readonly { name: string }[],
): { index: number; slot: keyof Slots; path: string; value: Float32Array }[] {
  return variables.flatMap(({ path, value }) => {
    const found = slotAt(path, parameters);
    return found ? [{ ...found, path, value: value as Float32Array }] : [];
  });
}
