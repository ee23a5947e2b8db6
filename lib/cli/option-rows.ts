/** The options of a serialized optimizer for people: those that are not the default, a line each. */

import type { Field } from "../fields.js";
import { kerasJson } from "../keras-json.js";
import type { SerializedObject } from "../keras-object.js";
import { lossScaleFields } from "../loss-scale-options.js";
import { optionFields } from "../options.js";
import { scheduleClasses } from "../schedules/classes.js";
import { isRecord, write } from "../validate.js";

export interface OptionRow {
  /** As in the JSON; that of a nested object says whose it is. */
  readonly name: string;
  readonly value: string;
}

/** The fields of each class by name. */
const tables = new Map<unknown, readonly Field<never>[]>([
  ["AdamW", Object.values(optionFields)],
  ["LossScaleOptimizer", Object.values(lossScaleFields)],
  ...scheduleClasses.map(({ name, fields }) => [name, Object.values(fields)] as const),
]);

/** A learning rate that is a number is state, and shown as such. */
export function optionRows({ class_name, config }: SerializedObject, owner = ""): OptionRow[] {
  const fields = tables.get(class_name) ?? [];
  const isDefault = (key: string, value: unknown) =>
    fields.some(
      (field) => field.key === key && "default" in field && sameJson(value, write(field.kind, field.default as never)),
    );
  const isState = (key: string, value: unknown) =>
    class_name === "AdamW" && key === "learning_rate" && typeof value === "number";
  return Object.entries(isRecord(config) ? config : {}).flatMap(([key, value]) => {
    if (value === undefined || isDefault(key, value) || isState(key, value)) return [];
    const name = `${key}${owner}`;
    if (!isEnvelope(value)) return [{ name, value: typeof value === "string" ? value : kerasJson(value) }];
    return [{ name, value: value.class_name }, ...optionRows(value, ` of ${name}`)];
  });
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

function isEnvelope(value: unknown): value is SerializedObject {
  return isRecord(value) && typeof value.class_name === "string" && isRecord(value.config);
}
