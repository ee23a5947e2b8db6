/** In which options a checkpoint's optimizer and the one it is loaded into differ. */

import { optionOf } from "../class-fields.js";
import { describe } from "../errors.js";
import type { Field } from "../fields.js";
import { isRecord, read } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { configOf, type OptimizerState } from "./optimizer-state.js";

/** Names change no number; the scale is state in a loss scaler; reports are asked for, not remembered. */
const ignored = new Set(["name", "initial_scale", "report_norms"]);

/** How to compare, and what to call what differs. */
interface Comparison {
  /** The first optimizer says only some of its options. */
  readonly isPartial: boolean;
  /** Whoever looks into the file sees Keras' names. */
  readonly hasKerasNames: boolean;
}

/** One phrase for each option that differs. A number as learning rate is state and loaded, so any number will do. */
export function configDifferences(state: OptimizerState, checkpoint: Checkpoint): string[] {
  const { optimizer, isConfigPartial = false, format } = checkpoint;
  const own = configOf(state);
  if (!optimizer || !own) return format === "keras" ? formulaDifference(state) : [];
  const inner = isRecord(own.config) ? own.config.inner_optimizer : undefined;
  // Formats that say nothing of a loss scaler say nothing against one either.
  const isInner = isConfigPartial && isRecord(inner) && optimizer.class_name !== own.class_name;
  const comparison = { isPartial: isConfigPartial, hasKerasNames: format === "keras" };
  return optionDifferences(optimizer, isInner ? inner : own, comparison);
}

/** Where options cannot be compared: a file of Keras' is of its formula, whatever it says. */
function formulaDifference({ options: { formula } }: OptimizerState): string[] {
  return formula === "keras" ? [] : [phrase("formula", "keras", formula)];
}

/** As configDifferences, of two serialized optimizers. */
export function optionDifferences(stored: unknown, own: unknown, comparison: Comparison): string[] {
  return differences("", plain(stored), plain(own), comparison);
}

/** As JSON has it: what is not defined is absent. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** So many decimal digits tell every float32 from every other. */
const float32Digits = 9;

interface Envelope {
  readonly class_name: unknown;
  readonly config: Record<string, unknown>;
}

/** Of two optimizers, or of two schedules or others in them, called `owner`. */
function differences(owner: string, stored: unknown, own: unknown, comparison: Comparison): string[] {
  if (same(stored, own)) return [];
  if (!isEnvelope(stored) || !isEnvelope(own) || stored.class_name !== own.class_name) {
    return [phrase(owner === "" ? "the optimizer" : owner, stored, own)];
  }
  const { isPartial, hasKerasNames } = comparison;
  const keys = new Set([...Object.keys(stored.config), ...(isPartial ? [] : Object.keys(own.config))]);
  return [...keys].flatMap((key) => {
    const [a, b] = [stored.config[key], own.config[key]];
    const isRate = key === "learning_rate" && typeof a === "number" && typeof b === "number";
    if (ignored.has(key) || isRate || same(a, b)) return [];
    const [name, field] = optionOf(own.class_name, key);
    const path = owner === "" ? name : `${owner}.${name}`;
    if (isEnvelope(a) && isEnvelope(b)) return differences(path, a, b, comparison);
    const [theirs, ours] = key === "learning_rate" ? [asGiven(a), asGiven(b)] : [a, b];
    return [phrase(hasKerasNames && name !== key ? `${path} (${key})` : path, theirs, ours, field)];
  });
}

function phrase(name: string, stored: unknown, own: unknown, field?: Field<unknown>): string {
  return `${name} is ${shown(stored, field)} in the file and ${shown(own, field)} here`;
}

/** Keras' JSON has a learning rate as the float32 it becomes; the shortest number that becomes it is what was given. */
function asGiven(rate: unknown): unknown {
  if (typeof rate !== "number") return rate;
  const lengths = Array.from({ length: float32Digits }, (_, i) => i + 1);
  return lengths.map((digits) => Number(rate.toPrecision(digits))).find((short) => Math.fround(short) === rate) ?? rate;
}

/** As it is written in TypeScript; what is absent is the default. */
function shown(json: unknown, field: Field<unknown> | undefined): string {
  if (json === undefined) return field && "default" in field ? describe(field.default) : "absent";
  if (isEnvelope(json)) return String(json.class_name);
  if (typeof json === "number") return spelled(json);
  try {
    return describe(field ? read(field.kind, json, field.key, (nested) => nested) : json);
  } catch {
    return describe(json);
  }
}

/** JavaScript writes 0.000001, and then 1e-7: numbers that are compared are small in one spelling. */
function spelled(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : describe(value);
}

function isEnvelope(value: unknown): value is Envelope {
  return isRecord(value) && "class_name" in value && isRecord(value.config);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
