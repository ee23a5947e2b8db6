/** Which parameters weight decay leaves alone. */

import { invalid } from "./errors.js";
import { type Fields, readFields, resolveFields, writeFields } from "./fields.js";
import { isRegExpJson, occursIn, pythonRegExp, readRegExp, writeRegExp } from "./patterns.js";
import { isRecord, type Kind, listOf, text } from "./validate.js";

/** A parameter: its name, its entry in the list given to `build`, or its `value` itself. */
export type ParameterReference = string | { readonly name: string } | object;

export interface WeightDecayExclusions {
  /**
   * A string is Keras' regular expression, searched in the last component of the name (`"d1"` does not match
   * `d1/kernel`); a RegExp is searched in the whole name.
   */
  names?: readonly (string | RegExp)[];
  /** Single parameters. */
  parameters?: readonly ParameterReference[];
}

const pattern: Kind<string | RegExp> = {
  expected: "a string or a RegExp",
  // Keras takes the empty expression too; it matches every name.
  accepts: (value) => typeof value === "string" || value instanceof RegExp,
  copy(value, name) {
    if (typeof value === "string") pythonRegExp(value, name);
    return value;
  },
  write: (value) => (typeof value === "string" ? value : writeRegExp(value)),
  read: (json, name) => (isRegExpJson(json) ? readRegExp(json, name) : json),
};

const reference: Kind<ParameterReference> = {
  expected: "the name of a parameter, its build entry or its value",
  accepts: (value) => text.accepts(value) || (typeof value === "object" && value !== null),
  write: (value) => nameOf(value) ?? value,
};

const fields: Fields<Required<WeightDecayExclusions>> = {
  names: { key: "names", kind: listOf(pattern), default: [] },
  parameters: { key: "parameters", kind: listOf(reference), default: [] },
};

/** The kind of the option `excludeFromWeightDecay`. */
export const exclusionsKind: Kind<WeightDecayExclusions> = {
  expected: "an object { names, parameters }",
  accepts: isRecord,
  copy: (value, name) => resolveFields(fields, value, name, `${name}.`),
  write: (value) => writeFields(fields, value as Required<WeightDecayExclusions>),
  read: (json, name, nested) => readFields(fields, json, name, nested),
};

function nameOf(parameter: ParameterReference): string | undefined {
  if (typeof parameter === "string") return parameter;
  return "name" in parameter && typeof parameter.name === "string" ? parameter.name : undefined;
}

/** What an exclusion can recognise a parameter by. */
export interface ExcludableParameter {
  readonly name: string;
  readonly value?: unknown;
}

/**
 * Whether each parameter is excluded, in the order of the parameters.
 *
 * @throws INVALID_ARGUMENT for an entry of `parameters` that is none of them
 */
export function resolveExclusions(
  exclusions: WeightDecayExclusions | null,
  parameters: readonly ExcludableParameter[],
): readonly boolean[] {
  const { names = [], parameters: references = [] } = exclusions ?? {};
  // One at a time says what Keras' one expression joined with "|" does, and cannot mix up their numbered groups.
  const tests = names.map((name, i) => nameTest(name, `excludeFromWeightDecay.names[${i}]`));
  const single = new Set(references.map((entry, i) => find(entry, parameters, i)));
  return parameters.map((parameter) => single.has(parameter) || tests.some((test) => test(parameter.name)));
}

function nameTest(pattern: string | RegExp, argument: string): (name: string) => boolean {
  if (pattern instanceof RegExp) return (name) => occursIn(pattern, name);
  const expression = pythonRegExp(pattern, argument);
  return (name) => expression.test(name.slice(name.lastIndexOf("/") + 1));
}

function find(entry: ParameterReference, parameters: readonly ExcludableParameter[], i: number): ExcludableParameter {
  const name = nameOf(entry);
  const found = parameters.find((parameter) => parameter.value === entry || parameter.name === name);
  if (!found) throw invalid(`excludeFromWeightDecay.parameters[${i}]`, "one of the built parameters", entry);
  return found;
}

/** The same exclusions with every single parameter by its name, which is what JSON can hold. */
export function nameExclusions(
  exclusions: WeightDecayExclusions,
  parameters: readonly ExcludableParameter[],
): WeightDecayExclusions {
  const references = exclusions.parameters ?? [];
  return { ...exclusions, parameters: references.map((entry, i) => nameOf(entry) ?? find(entry, parameters, i).name) };
}
