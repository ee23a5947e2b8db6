/** The list of schedule classes, and how a schedule is read from JSON. */

import { type CustomObjects, find } from "../keras-object.js";
import * as schedules from "./index.js";
import type { LearningRateSchedule, ScheduleClass } from "./schedule.js";

/** Every schedule class of this package. */
export const scheduleClasses: readonly ScheduleClass[] = Object.values(schedules);

/**
 * The schedule that JSON stands for, or the function or object of `customObjects` it names.
 *
 * @throws INVALID_ARGUMENT when its class is unknown or its configuration wrong
 */
export function readSchedule(json: unknown, name: string, customObjects: CustomObjects): unknown {
  const found = find(json, name, scheduleClasses, customObjects);
  return "object" in found ? found.object : makeSchedule(found.class, found.config, customObjects);
}

/** The schedule of a known class, whose configuration may hold further schedules. */
export function makeSchedule(type: ScheduleClass, config: unknown, customObjects: CustomObjects): LearningRateSchedule {
  return type.fromConfig(config, (json, name) => readSchedule(json, name, customObjects));
}
