/** The options of a serialized optimizer for people: those that are not the default, a line each. */

import { optionOf } from "../class-fields.js";
import { isDefaultJson } from "../fields.js";
import { kerasJson } from "../keras-json.js";
import type { SerializedObject } from "../keras-object.js";
import { isRecord } from "../validate.js";

export interface OptionRow {
  /** As in the JSON; that of a nested object after its owner's: "inner_optimizer.learning_rate.decay_steps". */
  readonly name: string;
  readonly value: string;
}

/** A learning rate that is a number is state, and shown as such. */
export function optionRows({ class_name, config }: SerializedObject, owner = ""): OptionRow[] {
  const isDefault = (key: string, value: unknown) => {
    const [, field] = optionOf(class_name, key);
    return field !== undefined && isDefaultJson(field, value);
  };
  const isState = (key: string, value: unknown) =>
    class_name === "AdamW" && key === "learning_rate" && typeof value === "number";
  return Object.entries(isRecord(config) ? config : {}).flatMap(([key, value]) => {
    if (value === undefined || isDefault(key, value) || isState(key, value)) return [];
    const name = `${owner}${key}`;
    if (!isEnvelope(value)) return [{ name, value: typeof value === "string" ? value : kerasJson(value) }];
    return [{ name, value: value.class_name }, ...optionRows(value, `${name}.`)];
  });
}

/** The class of the schedule that the learning rate is; of a loss scaler, that of its inner optimizer. */
export function scheduleName({ config }: SerializedObject): string | undefined {
  const { inner_optimizer: inner, learning_rate: rate } = isRecord(config) ? config : {};
  if (isEnvelope(inner)) return scheduleName(inner);
  return isEnvelope(rate) ? rate.class_name : undefined;
}

function isEnvelope(value: unknown): value is SerializedObject {
  return isRecord(value) && typeof value.class_name === "string" && isRecord(value.config);
}
