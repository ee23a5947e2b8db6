/** Keras' Adam, which is an AdamW: it has the same variables and steps, and the decay it was given, none by default. */

import { type CustomObjects, isNamed, kerasOptimizers, type SerializedObject } from "./keras-object.js";
import { isRecord } from "./validate.js";

const adam = { name: "Adam", module: kerasOptimizers };

/** A serialized Adam as the AdamW that it is; anything else, and an Adam of the caller's own, as it is. */
export function adamAsAdamW(json: unknown, customObjects: CustomObjects = {}): unknown {
  const { module = null, class_name, config, registered_name = null } = isRecord(json) ? json : {};
  if (typeof class_name !== "string" || !isRecord(config) || Object.hasOwn(customObjects, class_name)) return json;
  if (!isNamed(adam, { module, class_name, config, registered_name } as SerializedObject)) return json;
  const decay = "weightDecay" in config ? {} : { weight_decay: config.weight_decay ?? 0 };
  return { module: kerasOptimizers, class_name: "AdamW", config: { ...config, ...decay }, registered_name: null };
}
