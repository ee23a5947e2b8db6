/** AdamW's configuration in JSON, key for key that of Keras. */

import { readFields, writeFields } from "./fields.js";
import type { CustomObjects } from "./keras-object.js";
import { type AdamWOptions, optionFields, type ResolvedOptions } from "./options.js";
import { readSchedule } from "./schedules/classes.js";

/**
 * What `getConfig()` returns: Keras' keys in Keras' order, then ours where they differ from their defaults.
 * `current` holds what was changed since construction, such as the learning rate.
 *
 * @throws NOT_SERIALIZABLE for an unnamed function or class as learning rate or weight decay
 */
export function optionsToConfig(
  options: ResolvedOptions,
  current: Partial<ResolvedOptions> = {},
): Record<string, unknown> {
  return writeFields(optionFields, { ...options, ...current });
}

/**
 * The options that a configuration stands for, to be given to the constructor, which checks them. Reads Keras' keys and
 * the camelCase names, and changes nothing it reads.
 *
 * @throws INVALID_ARGUMENT for unknown keys, and for classes and functions found nowhere
 */
export function configToOptions(config: unknown, customObjects: CustomObjects = {}): AdamWOptions {
  return readFields<ResolvedOptions>(optionFields, config, "the config of AdamW", (json, name) =>
    readSchedule(json, name, customObjects),
  );
}
