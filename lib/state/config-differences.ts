/** In which options a checkpoint's optimizer and the one it is loaded into differ. */

import { describe } from "../errors.js";
import { isRecord } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { configOf, type OptimizerState } from "./optimizer-state.js";

/** Names change no number; the scale is state in a loss scaler; reports are asked for, not remembered. */
const ignored = new Set(["name", "initial_scale", "report_norms"]);

/** One phrase for each option that differs. A number as learning rate is state and loaded, so any number will do. */
export function configDifferences(state: OptimizerState, { optimizer, isConfigPartial = false }: Checkpoint): string[] {
  const own = configOf(state);
  if (!optimizer || !own) return [];
  const inner = isRecord(own.config) ? own.config.inner_optimizer : undefined;
  // Formats that say nothing of a loss scaler say nothing against one either.
  const isInner = isConfigPartial && isRecord(inner) && optimizer.class_name !== own.class_name;
  return optionDifferences(optimizer, isInner ? inner : own, isConfigPartial);
}

/** As configDifferences, of two serialized optimizers; `isPartial`: the first says only some of its options. */
export function optionDifferences(stored: unknown, own: unknown, isPartial: boolean): string[] {
  return differences("", plain(stored), plain(own), isPartial);
}

/** As JSON has it: what is not defined is absent. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function differences(path: string, stored: unknown, own: unknown, isPartial: boolean): string[] {
  if (!isEnvelope(stored) || !isEnvelope(own)) return same(stored, own) ? [] : [phrase(path, stored, own)];
  if (stored.class_name !== own.class_name) return [phrase(`${path}class`, stored.class_name, own.class_name)];
  const keys = new Set([...Object.keys(stored.config), ...(isPartial ? [] : Object.keys(own.config))]);
  return [...keys].flatMap((key) => {
    const [a, b] = [stored.config[key], own.config[key]];
    const isRate = key === "learning_rate" && typeof a === "number" && typeof b === "number";
    if (ignored.has(key) || isRate) return [];
    if (isEnvelope(a) && isEnvelope(b)) return differences(`${path}${key}.`, a, b, isPartial);
    return same(a, b) ? [] : [phrase(path + key, a, b)];
  });
}

function phrase(name: string, stored: unknown, own: unknown): string {
  const shown = (value: unknown) => (value === undefined ? "the default" : describe(value));
  return `${name} is ${shown(stored)} in the file and ${shown(own)} here`;
}

function isEnvelope(value: unknown): value is { class_name: unknown; config: Record<string, unknown> } {
  return isRecord(value) && "class_name" in value && isRecord(value.config);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
