/** Keras' envelope for a serialized object: where its class lives, what it is called, its configuration. */

import { AdamWError, describe, invalid } from "./errors.js";
import { isRecord } from "./validate.js";

export interface SerializedObject {
  module: string | null;
  class_name: string;
  config: unknown;
  registered_name: string | null;
}

/** Anything with a configuration and a class to make it again from. */
export interface Serializable {
  getConfig(): Record<string, unknown>;
}

/**
 * A class whose objects JSON can stand for. The classes of this package pin `name`, so that a bundler that shortens
 * class names does not change what is written, and say in `module` where Keras has them.
 */
export interface SerializableClass {
  readonly name: string;
  readonly module?: string;
}

/** Where Keras keeps its optimizers and its schedules. */
export const kerasOptimizers = "keras.optimizers";
export const kerasSchedules = "keras.optimizers.schedules";
/**
 * Where the schedules are that Keras does not have. Their `registered_name` is the one a Python class gets from
 * `register_keras_serializable(package="fused_adamw")`, so a program in Python can supply them.
 */
export const ownSchedules = "fused_adamw.schedules";

/**
 * The JSON form of an optimizer, a schedule or a function, in Keras' shape.
 *
 * @throws NOT_SERIALIZABLE for a function or class without a name
 */
export function serialize(value: Serializable | (() => number)): SerializedObject {
  if (typeof value === "function") {
    // An arrow function written as the option's value takes the option's name, which says nothing.
    const config = named(value.name === "learningRate" ? "" : value.name, value);
    return { module: "builtins", class_name: "function", config, registered_name: "function" };
  }
  const type = value.constructor as SerializableClass;
  // hasOwn: a class that extends one of ours is not the class Keras knows.
  const module = Object.hasOwn(type, "module") ? (type.module ?? null) : null;
  const class_name = named(type === Object ? "" : type.name, value);
  return { module, class_name, config: value.getConfig(), registered_name: registeredName(module, class_name) };
}

function named(name: string, value: unknown): string {
  if (name !== "") return name;
  const expected = "a function or class with a name of its own, under which customObjects can supply it";
  throw new AdamWError("NOT_SERIALIZABLE", `Expected ${expected}, but received ${describe(value)}`);
}

function registeredName(module: string | null, className: string): string | null {
  if (module === null) return className;
  return module === ownSchedules ? `fused_adamw>${className}` : null;
}

/** The classes and functions that JSON may name beside those of this package, under the names it has for them. */
export type CustomObjects = Readonly<Record<string, CustomClass | (() => number)>>;

/**
 * A class that makes its objects from a configuration: by `fromConfig` if it has that, else by its constructor. An
 * optimizer's also gets what `deserialize` was told of the device.
 */
export interface CustomClass {
  new (config: never, runtime: never): object;
  fromConfig?(config: unknown, runtime?: object): object;
}

/** What an envelope names: a class of this package, to be given its configuration, or an object already made. */
export type Found<Class> = { class: Class; config: unknown } | { object: unknown };

/**
 * Finds the class or function that a serialized object names: among `customObjects` by exact name, then among `classes`
 * whatever the case, as Keras does.
 *
 * @throws INVALID_ARGUMENT when there is none
 */
export function find<Class extends SerializableClass>(
  json: unknown,
  name: string,
  classes: readonly Class[],
  customObjects: CustomObjects,
  runtime?: object,
): Found<Class> {
  const envelope = parseEnvelope(json, name);
  const { module, class_name, config, registered_name } = envelope;
  const isFunction = module === "builtins" && class_name === "function";
  for (const key of isFunction ? [config] : [registered_name, class_name]) {
    if (typeof key === "string" && Object.hasOwn(customObjects, key)) {
      const custom = customObjects[key] as CustomObjects[string];
      return { object: isFunction ? custom : construct(custom as CustomClass, config, runtime) };
    }
  }
  const known = classes.find((candidate) => isNamed(candidate, envelope));
  if (known) return { class: known, config };
  const names = classes.map((candidate) => candidate.name).join(", ");
  throw invalid(name, `one of ${names}, or a name in customObjects,`, isFunction ? config : class_name);
}

function construct(type: CustomClass, config: unknown, runtime: object | undefined): object {
  // A schedule computes nowhere; the second argument of its fromConfig() is of another kind.
  const where = "at" in (type.prototype as object) ? undefined : runtime;
  return type.fromConfig ? type.fromConfig(config, where) : new type(config as never, where as never);
}

/**
 * Keras' torch backend writes the private module of its own subclass, Keras 2 neither module nor registered name. A
 * registered name alone is that of somebody's own class, whatever it is called.
 */
export function isNamed(type: SerializableClass, { module, class_name, registered_name }: SerializedObject): boolean {
  if (type.name.toLowerCase() !== class_name.toLowerCase()) return false;
  if (type.module === ownSchedules && registered_name === `fused_adamw>${class_name}`) return true;
  if (module === null) return registered_name === null;
  return module === type.module || (type.module !== ownSchedules && module.startsWith("keras.src."));
}

function parseEnvelope(json: unknown, name: string): SerializedObject {
  const { class_name, config, module = null, registered_name = null } = isRecord(json) ? json : {};
  const isText = (value: unknown): value is string | null => value === null || typeof value === "string";
  if (typeof class_name !== "string" || config === undefined || !isText(module) || !isText(registered_name)) {
    const hint = typeof json === "string" ? ", not its text (JSON.parse() reads it)," : "";
    throw invalid(name, `a serialized object { module, class_name, config, registered_name }${hint}`, json);
  }
  return { module, class_name, config, registered_name };
}

/** For configurations that hold no objects. */
export function noNested(json: unknown, name: string): never {
  throw invalid(name, "a value that is no serialized object", json);
}
