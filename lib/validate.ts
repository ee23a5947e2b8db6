/** Kinds of values: each says what it expects, checks it, and knows how JSON carries it. */

import { AdamWError, describe, either, invalid } from "./errors.js";
import { meanings } from "./spelling.js";

/** Turns a nested serialized object into the object it stands for; whoever knows the classes supplies it. */
export type ReadNested = (json: unknown, name: string) => unknown;

export interface Kind<T> {
  /** The noun phrase of the error message. */
  readonly expected: string;
  /** Keras holds a float here, so Python's JSON writes 1 as `1.0`. */
  readonly float?: boolean;
  accepts(value: unknown): boolean;
  /** An immutable copy of an accepted value, its parts parsed; absent: the value itself. */
  copy?(value: T, name: string): T;
  /** The JSON of a parsed value; absent: the value itself. */
  write?(value: T): unknown;
  /** What is to be parsed for a JSON value; absent: the JSON value itself. */
  read?(json: unknown, name: string, nested: ReadNested): unknown;
}

/**
 * Checks a value from outside.
 *
 * @throws INVALID_ARGUMENT quoting `name`, what was expected and what came
 */
export function parse<T>(kind: Kind<T>, value: unknown, name: string): T {
  if (!kind.accepts(value)) throw invalid(name, kind.expected, value);
  return kind.copy ? kind.copy(value as T, name) : (value as T);
}

export function write<T>(kind: Kind<T>, value: T): unknown {
  return kind.write ? kind.write(value) : value;
}

export function read<T>(kind: Kind<T>, json: unknown, name: string, nested: ReadNested): unknown {
  return kind.read ? kind.read(json, name, nested) : json;
}

function number(expected: string, accepts: (value: number) => boolean): Kind<number> {
  return {
    expected,
    float: true,
    accepts: (value) => typeof value === "number" && Number.isFinite(value) && accepts(value),
  };
}

export const nonNegative = number("a finite number ≥ 0", (value) => value >= 0);
export const positive = number("a finite number > 0", (value) => value > 0);
export const atLeastOne = number("a finite number ≥ 1", (value) => value >= 1);

// What a step computes with in float32 may be neither infinite nor, where it must be above 0, zero there.
function float32(expected: string, accepts: (value: number) => boolean): Kind<number> {
  return number(`${expected} in float32`, (value) => Number.isFinite(Math.fround(value)) && accepts(value));
}

export const nonNegativeFloat32 = float32(nonNegative.expected, (value) => value >= 0);
export const positiveFloat32 = float32(positive.expected, (value) => Math.fround(value) > 0);
/** What values are divided by, as a product with the reciprocal. */
export const divisorFloat32: Kind<number> = {
  ...positiveFloat32,
  expected: `${positiveFloat32.expected}, its reciprocal too`,
  accepts: (value) => positiveFloat32.accepts(value) && Number.isFinite(Math.fround(1 / (value as number))),
};

/** The decay rate of an average: with 1 nothing new would ever enter it. */
export const belowOne = number("a number in [0, 1)", (value) => value >= 0 && value < 1);
export const fraction = number("a number in [0, 1]", (value) => value >= 0 && value <= 1);

/** A number of steps; Keras computes with fractions too, which `examples / batch * epochs` gives. */
export const steps: Kind<number> = { ...positive, float: false };
export const stepsOrZero: Kind<number> = { ...nonNegative, float: false };

export const boolean: Kind<boolean> = { expected: "a boolean", accepts: (value) => typeof value === "boolean" };
export const text: Kind<string> = {
  expected: "a non-empty string",
  accepts: (value) => typeof value === "string" && value !== "",
};

export function integerFrom(minimum: number): Kind<number> {
  return {
    expected: `an integer ≥ ${minimum}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= minimum,
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    expected: either(choices.map((choice) => JSON.stringify(choice))),
    accepts: (value) => (choices as readonly unknown[]).includes(value),
  };
}

/** `inner`, or one value that switches it off. */
function orOff<T, Off extends null | 0>(inner: Kind<T>, off: Off): Kind<T | Off> {
  const isOff = (value: unknown): value is Off => value === off;
  return {
    ...inner,
    expected: `${inner.expected} or ${off}`,
    accepts: (value) => isOff(value) || inner.accepts(value),
    copy: (value, name) => (isOff(value) ? value : parse(inner, value, name)),
    write: (value) => (isOff(value) ? value : write(inner, value)),
    read: (json, name, nested) => (isOff(json) ? json : read(inner, json, name, nested)),
  };
}

export function orNull<T>(inner: Kind<T>): Kind<T | null> {
  return orOff(inner, null);
}

/** A count that Keras switches off with 0 as well as with null. */
export function countOrNull(minimum: number): Kind<number | null> {
  return { ...orNull(orOff(integerFrom(minimum), 0)), expected: `an integer ≥ ${minimum}, 0 or null` };
}

export function listOf<T>(item: Kind<T>, minimumLength = 0): Kind<readonly T[]> {
  return {
    expected: minimumLength > 0 ? `an array of ${minimumLength} or more` : "an array",
    float: item.float ?? false,
    accepts: (value) => Array.isArray(value) && value.length >= minimumLength,
    // Array.from visits holes too, which map would keep unchecked.
    copy: (value, name) => Object.freeze(Array.from(value, (entry, i) => parse(item, entry, `${name}[${i}]`))),
    write: (value) => value.map((entry) => write(item, entry)),
    read: (json, name, nested) =>
      Array.isArray(json) ? json.map((entry, i) => read(item, entry, `${name}[${i}]`, nested)) : json,
  };
}

/** An object literal or a parsed JSON object: no class instance, array or null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // An object literal of another realm (node:vm, a test runner's sandbox) has that realm's Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Checks that `value` is a plain object with known keys only.
 *
 * @throws INVALID_ARGUMENT naming the first unknown key and the known ones it may stand for
 */
export function parseRecord(value: unknown, name: string, known: readonly string[]): Record<string, unknown> {
  if (!isRecord(value)) throw invalid(name, "a plain object", value);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const meant = meanings(key, known);
    const hint = meant.length === 0 ? `expected ${either(known)}` : `did you mean ${either(meant, "and")}?`;
    throw new AdamWError("INVALID_ARGUMENT", `Unknown key ${describe(key)} in ${name}: ${hint}`);
  }
  return value;
}
