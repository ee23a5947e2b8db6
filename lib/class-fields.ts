/** The tables of fields of the classes that JSON can name. */

import type { Field, Fields } from "./fields.js";
import { lossScaleFields } from "./loss-scale-options.js";
import { optionFields } from "./options.js";
import { scheduleClasses } from "./schedules/classes.js";

type AnyFields = Readonly<Record<string, Field<unknown>>>;

/** By the class' name. */
export const classFields: ReadonlyMap<unknown, AnyFields> = new Map([
  ["AdamW", erased(optionFields)],
  ["LossScaleOptimizer", erased(lossScaleFields)],
  ...scheduleClasses.map(({ name, fields }) => [name, erased(fields)] as const),
]);

function erased<T extends object>(fields: Fields<T>): AnyFields {
  return fields as unknown as AnyFields;
}

/** An option under the name it has in TypeScript, where the class is ours: what JSON calls `key`. */
export function optionOf(className: unknown, key: string): readonly [name: string, field?: Field<unknown>] {
  if (className === "LossScaleOptimizer" && key === "inner_optimizer") return ["innerOptimizer"];
  const rows = Object.entries(classFields.get(className) ?? {});
  return rows.find(([, field]) => field.key === key) ?? [key];
}
