/** Options that a state for another program does not say, for people to be told. */

import { either } from "../errors.js";
import type { SerializedObject } from "../keras-object.js";
import type { Checkpoint } from "../state/checkpoint.js";
import type { WritableFormat } from "../state/format-names.js";
import { placeName } from "../state/left-out.js";
import { isRecord } from "../validate.js";
import { optionRows } from "./option-rows.js";

/**
 * Formats that say a few numbers of each parameter. A `.keras` file says every option, and other ones are an error; a
 * `.weights.h5` says none, and what Keras does not have is told in the report of the write.
 */
const numberFormats: readonly WritableFormat[] = ["torch", "tfjs"];
const saidThere = ["formula", "beta_1", "beta_2", "epsilon", "amsgrad", "maximize", "name"];
/** Numbers, or schedules of which one number is said. */
const rates = ["learning_rate", "weight_decay"];
/** What those few numbers differ by. */
const settings = ["groups", "exclude_from_weight_decay"];

/** A sentence each, of options that are not the default. Whoever goes on with the state has to be given them again. */
export function optionsLeftOut({ optimizer }: Checkpoint, format: WritableFormat): string[] {
  if (optimizer === null || !numberFormats.includes(format)) return [];
  const { inner_optimizer: inner } = isRecord(optimizer.config) ? optimizer.config : {};
  const { config, ...envelope } = isRecord(inner) ? (inner as unknown as SerializedObject) : optimizer;
  const given = isRecord(config) ? config : {};
  const keys = optionRows({ ...envelope, config }).map(({ name }) => name);
  // Rows of nested objects say whose they are.
  const known = keys.filter((key) => Object.hasOwn(given, key) && !saidThere.includes(key));
  const others = known.filter((key) => !rates.includes(key) && !settings.includes(key));
  const schedules = rates.filter((key) => isRecord(given[key]));
  const settled = settings.filter((key) => known.includes(key));
  const verb = others.length === 1 ? "is" : "are";
  return [
    ...schedules.map((key) => `${key}: of the schedule the number that it has reached is written`),
    ...settled.map((key) => `${key}: written as the settings of each parameter`),
    ...(others.length > 0 ? [`${either(others, "and")} ${verb} not part of ${placeName(format)}: left out`] : []),
  ];
}
