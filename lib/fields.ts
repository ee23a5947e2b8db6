/** Tables of named fields: the one description from which validation, defaults and JSON all come. */

import { invalid, unexpected } from "./errors.js";
import { isRecord, type Kind, parse, parseRecord, type ReadNested, read, write } from "./validate.js";

export interface Field<T> {
  /** The name in JSON: Keras' own where Keras has the field. */
  readonly key: string;
  readonly kind: Kind<T>;
  /** What an absent field means; a field without this property is required. */
  readonly default?: T | undefined;
  /** Beyond Keras, which rejects keys it does not know: JSON has it only where it is not the default. */
  readonly own?: true;
}

/** One row per property of `T`, in the order of the JSON keys. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

type Row = [name: string, field: Field<unknown>];

/** The rows of a table, their types erased: each kind only ever meets values of its own field. */
function rows<T>(fields: Fields<T>): Row[] {
  return Object.entries(fields) as Row[];
}

/**
 * A frozen object with every field present and validated; `undefined` counts as absent.
 * Errors call the whole `owner` and a field by `prefix` and its name.
 *
 * @throws INVALID_ARGUMENT for unknown keys, missing required fields and wrong values
 */
export function resolveFields<T extends object>(
  fields: Fields<T>,
  given: unknown,
  owner: string,
  prefix = "",
): Readonly<T> {
  const record = parseRecord(given, owner, Object.keys(fields));
  const resolved: Record<string, unknown> = {};
  for (const [name, field] of rows(fields)) {
    const value = record[name] === undefined && "default" in field ? field.default : record[name];
    if (value !== undefined || !("default" in field)) resolved[name] = parse(field.kind, value, prefix + name);
  }
  return Object.freeze(resolved) as Readonly<T>;
}

/** The JSON of resolved fields: Keras' keys in Keras' order, then ours where they differ from the default. */
export function writeFields<T extends object>(fields: Fields<T>, resolved: T): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const [name, field] of rows(fields)) {
    const value: unknown = Reflect.get(resolved, name);
    if (value === undefined) continue;
    const written = write(field.kind, value);
    if (!field.own || !isDefaultJson(field, written)) json[field.key] = written;
  }
  return json;
}

/** Whether JSON says of a field what it is without a word. */
export function isDefaultJson<T>(field: Field<T>, json: unknown): boolean {
  return "default" in field && sameJson(json, write(field.kind, field.default as T));
}

/** The resolved fields that say something to a reader: those that are required, and those that are not the default. */
export function tellingFields<T extends object>(fields: Fields<T>, resolved: T): Partial<T> {
  const told = rows(fields)
    .map(([name, field]) => [name, field, Reflect.get(resolved, name)] as const)
    .filter(([, field, value]) => !("default" in field) || !sameValue(value, field.default));
  return Object.fromEntries(told.map(([name, , value]) => [name, value])) as Partial<T>;
}

/**
 * Of what defaults are: primitive values and empty lists. Unlike JSON's, this asks no schedule for its configuration.
 */
function sameValue(value: unknown, fallback: unknown): boolean {
  return value === fallback || [value, fallback].every((list) => Array.isArray(list) && list.length === 0);
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/**
 * The options that JSON stands for, still to be validated. Reads the JSON keys and the camelCase names, and leaves the
 * JSON as it is.
 *
 * @throws INVALID_ARGUMENT for unknown keys and for a field given under both its names
 */
export function readFields<T extends object>(
  fields: Fields<T>,
  json: unknown,
  owner: string,
  nested: ReadNested,
): Partial<T> {
  const known = rows(fields).flatMap(([name, { key }]) => (name === key ? [key] : [key, name]));
  if (isRecord(json) && "class_name" in json && !known.includes("class_name")) {
    throw invalid(owner, "what getConfig() returns (deserialize() takes what serialize() does)", json);
  }
  const record = parseRecord(json, owner, known);
  const given: Record<string, unknown> = {};
  for (const [name, { key, kind }] of rows(fields)) {
    const spelling = Object.hasOwn(record, key) ? key : name;
    if (!Object.hasOwn(record, spelling)) continue;
    if (spelling !== name && Object.hasOwn(record, name))
      throw unexpected(`only one of ${key} and ${name} in ${owner}`, json);
    given[name] = read(kind, record[spelling], spelling, nested);
  }
  return given as Partial<T>;
}
