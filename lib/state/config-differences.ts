/** In which options a checkpoint's optimizer and the one it is loaded into differ. */

import { describe } from "../errors.js";
import { isRecord } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { configOf, type OptimizerState } from "./optimizer-state.js";

/** Names change no number; the scale is state in a loss scaler; reports are asked for, not remembered. */
const ignored = new Set(["name", "initial_scale", "report_norms"]);

/** One phrase for each option that differs. A number as learning rate is state and loaded, so any number will do. */
export function configDifferences(state: OptimizerState, { optimizer }: Checkpoint): string[] {
  const own = configOf(state);
  return optimizer && own ? differences("", plain(optimizer), plain(own)) : [];
}

/** As JSON has it: what is not defined is absent. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function differences(path: string, stored: unknown, own: unknown): string[] {
  if (isEnvelope(stored) && isEnvelope(own)) {
    const named =
      stored.class_name === own.class_name ? [] : [phrase(`${path}class`, stored.class_name, own.class_name)];
    return named.length > 0 ? named : recordDifferences(path, stored.config, own.config);
  }
  return same(stored, own) ? [] : [phrase(path, stored, own)];
}

function recordDifferences(path: string, stored: Record<string, unknown>, own: Record<string, unknown>): string[] {
  const keys = new Set([...Object.keys(stored), ...Object.keys(own)]);
  return [...keys].flatMap((key) => {
    const [a, b] = [stored[key], own[key]];
    const isRate = key === "learning_rate" && typeof a === "number" && typeof b === "number";
    if (ignored.has(key) || isRate) return [];
    return isEnvelope(a) && isEnvelope(b)
      ? differences(`${path}${key}.`, a, b)
      : same(a, b)
        ? []
        : [phrase(path + key, a, b)];
  });
}

function phrase(name: string, stored: unknown, own: unknown): string {
  return `${name} is ${describe(stored)} in the file and ${describe(own)} here`;
}

function isEnvelope(value: unknown): value is { class_name: unknown; config: Record<string, unknown> } {
  return isRecord(value) && "class_name" in value && isRecord(value.config);
}

/** An absent key has its default, which JSON leaves out. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
