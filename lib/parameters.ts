/** Parameters as `build` takes them, and the checks of their memory. */

import type { DType } from "./dtypes.js";
import { AdamWError, invalid } from "./errors.js";
import { checkMemory, dtypeOf, placeOf, type TensorMemory } from "./memory.js";
import { integerFrom, type Kind, listOf, parse, parseRecord, text } from "./validate.js";

/** A parameter to optimize. */
export interface ParameterInit {
  /** The whole path, unique within the optimizer: "block/dense/kernel". */
  name: string;
  /** @default [value.length] */
  shape?: readonly number[];
  /** Updated in place by every step; those of all parameters that are trained have one type. */
  value: TensorMemory;
  /**
   * Read by `step()`, and by nothing else; null or absent: gradients come with `apply()`. All gradients have one type:
   * that of those given here, or where none is, the first that goes with the values' type.
   */
  gradient?: TensorMemory | null;
}

/** A parameter after `build`; `value` and `gradient` change by `rebind`. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly length: number;
  value: TensorMemory;
  gradient: TensorMemory | null;
}

/** The extents of a parameter. */
export const shapeKind: Kind<readonly number[]> = listOf(integerFrom(0));

const knownKeys = ["name", "shape", "value", "gradient"];

/**
 * The parameters of `build`, checked.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
 */
export function parseParameters(list: readonly ParameterInit[]): Parameter[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid("parameters", "a non-empty array of { name, value, shape?, gradient? }", list);
  }
  const parameters = Array.from(list, parseParameter);
  const seen = new Map<string, number>();
  parameters.forEach(({ name }, i) => {
    const first = seen.get(name);
    if (first !== undefined)
      throw invalid(`parameters[${i}].name`, `a name other than that of parameters[${first}]`, name);
    seen.set(name, i);
  });
  checkOverlap(parameters);
  return parameters;
}

function parseParameter(init: ParameterInit, i: number): Parameter {
  const where = `parameters[${i}]`;
  parseRecord(init, where, knownKeys);
  if (!text.accepts(init.name)) throw invalid(`${where}.name`, text.expected, init.name);
  const value = checkMemory(init.value, `the value of ${init.name}`);
  const length = value.length;
  const shape = parse(shapeKind, init.shape ?? [length], `${where}.shape`);
  const product = shape.reduce((a, b) => a * b, 1);
  if (product !== length) {
    const message = `Expected the shape of ${init.name} to have ${length} elements, as its value has, but [${shape.join(", ")}] has ${product}`;
    throw new AdamWError("LENGTH_MISMATCH", message);
  }
  const gradient = init.gradient ?? null;
  if (gradient !== null) checkMemory(gradient, `the gradient of ${init.name}`, length);
  return { name: init.name, shape, length, value, gradient };
}

/**
 * Two streams of a step over the same memory would make its result depend on the order of threads.
 *
 * @throws INVALID_ARGUMENT
 */
export function checkOverlap(parameters: readonly Pick<Parameter, "name" | "value" | "gradient">[]): void {
  const all = parameters.flatMap(({ name, value, gradient }) => [
    { name: `the value of ${name}`, memory: value, ...placeOf(value) },
    ...(gradient ? [{ name: `the gradient of ${name}`, memory: gradient, ...placeOf(gradient) }] : []),
  ]);
  const bySpace = new Map<object | string, typeof all>();
  for (const entry of all) {
    const group = bySpace.get(entry.space);
    if (group) group.push(entry);
    else bySpace.set(entry.space, [entry]);
  }
  for (const group of bySpace.values()) {
    const sorted = group.filter(({ memory }) => memory.length > 0).sort((a, b) => a.begin - b.begin);
    for (const [i, next] of sorted.entries()) {
      const before = sorted[i - 1];
      if (before && before.begin + before.memory.byteLength > next.begin) {
        const message = `Expected memory of its own for every parameter, but ${before.name} and ${next.name} overlap`;
        throw new AdamWError("INVALID_ARGUMENT", message);
      }
    }
  }
}

/**
 * The types of values and of gradients, by which the addon chooses the layout; "": no gradient is bound.
 *
 * @throws INVALID_ARGUMENT where memory of one kind has several types
 */
export function typesOf(parameters: readonly Parameter[]): { parameterType: DType; gradientType: DType | "" } {
  const values = parameters.map(({ name, value }) => ({ what: `the value of ${name}`, memory: value }));
  const gradients = parameters.flatMap(({ name, gradient }) =>
    gradient ? [{ what: `the gradient of ${name}`, memory: gradient }] : [],
  );
  return { parameterType: commonType(values) as DType, gradientType: commonType(gradients) ?? "" };
}

function commonType(memories: readonly { what: string; memory: TensorMemory }[]): DType | undefined {
  const [first, ...others] = memories;
  if (!first) return undefined;
  const type = dtypeOf(first.memory);
  for (const { what, memory } of others) {
    const found = dtypeOf(memory);
    if (found !== type) throw invalid(`the type of ${what}`, `${type}, as ${first.what} has,`, found);
  }
  return type;
}
