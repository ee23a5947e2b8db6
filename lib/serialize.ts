/** Optimizers and schedules to and from Keras' JSON. */

import { AdamW } from "./adamw.js";
import { type RuntimeOptions, runtimeKeys } from "./device.js";
import { adamAsAdamW } from "./keras-adam.js";
import { type CustomObjects, find, type SerializableClass } from "./keras-object.js";
import { LossScaleOptimizer } from "./loss-scale-optimizer.js";
import { makeSchedule, scheduleClasses } from "./schedules/classes.js";
import type { LearningRateSchedule, ScheduleClass } from "./schedules/schedule.js";
import { parseRecord } from "./validate.js";

export { type CustomObjects, type SerializedObject, serialize } from "./keras-object.js";

/** Where the optimizers in the JSON are to compute, and the classes and functions it names beside ours. */
export interface DeserializeOptions extends RuntimeOptions {
  customObjects?: CustomObjects;
}

const optimizers: readonly (typeof AdamW | typeof LossScaleOptimizer)[] = [AdamW, LossScaleOptimizer];
const classes: readonly SerializableClass[] = [...optimizers, ...scheduleClasses];

/**
 * Makes the optimizer or schedule that `serialize`, or Keras on any of its backends, has written; leaves the JSON as it
 * is.
 *
 * @throws INVALID_ARGUMENT for unknown classes, unknown keys and wrong values
 *
 * @example
 * const optimizer = deserialize(JSON.parse(text), { device: "cpu" });
 */
export function deserialize(
  json: unknown,
  options: DeserializeOptions = {},
): AdamW | LossScaleOptimizer | LearningRateSchedule {
  parseRecord(options, "the options of deserialize", ["customObjects", ...runtimeKeys]);
  const { customObjects = {} } = options;
  const found = find(adamAsAdamW(json, customObjects), "the JSON", classes, customObjects, options);
  if ("object" in found) return found.object as LearningRateSchedule;
  const optimizer = optimizers.find((candidate) => candidate === found.class);
  if (optimizer) return optimizer.fromConfig(found.config, options);
  return makeSchedule(found.class as ScheduleClass, found.config, customObjects);
}
