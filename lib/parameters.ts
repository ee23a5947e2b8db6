/** Parameters as `build` takes them, and the checks of their memory. */

import { types } from "node:util";
import { AdamWError, invalid } from "./errors.js";
import { integerFrom, type Kind, listOf, parse, parseRecord, text } from "./validate.js";

/** A parameter to optimize. */
export interface ParameterInit {
  /** The whole path, unique within the optimizer: "block/dense/kernel". */
  name: string;
  /** @default [value.length] */
  shape?: readonly number[];
  /** Updated in place by every step. */
  value: Float32Array;
  /** Read by `step()`, and by nothing else; null or absent: gradients come with `apply()`. */
  gradient?: Float32Array | null;
}

/** A parameter after `build`; `value` and `gradient` change by `rebind`. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly length: number;
  value: Float32Array;
  gradient: Float32Array | null;
}

/** What the addon takes for one too, unlike instanceof: arrays of other realms are, proxies and look-alikes are not. */
export function isFloat32Array(value: unknown): value is Float32Array {
  return types.isFloat32Array(value);
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
    if (first !== undefined) throw invalid(`parameters[${i}].name`, `a name that parameters[${first}] has not`, name);
    seen.set(name, i);
  });
  checkOverlap(parameters);
  return parameters;
}

function parseParameter(init: ParameterInit, i: number): Parameter {
  const where = `parameters[${i}]`;
  parseRecord(init, where, knownKeys);
  if (!text.accepts(init.name)) throw invalid(`${where}.name`, text.expected, init.name);
  const value = checkArray(init.value, `the value of ${init.name}`);
  const length = value.length;
  const shape = parse(shapeKind, init.shape ?? [length], `${where}.shape`);
  const product = shape.reduce((a, b) => a * b, 1);
  if (product !== length) {
    const message = `Expected the shape of ${init.name} to have ${length} elements, as its value has, but [${shape.join(", ")}] has ${product}`;
    throw new AdamWError("LENGTH_MISMATCH", message);
  }
  const gradient = init.gradient ?? null;
  if (gradient !== null) checkArray(gradient, `the gradient of ${init.name}`, length);
  return { name: init.name, shape, length, value, gradient };
}

/**
 * A Float32Array of `length` elements that still has its memory.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH, DETACHED
 */
export function checkArray(array: unknown, name: string, length?: number): Float32Array {
  if (!isFloat32Array(array)) throw invalid(name, "a Float32Array", array);
  if (isDetached(array)) {
    const message = `The memory of ${name} is gone: it was transferred, or its WebAssembly memory has grown. Give rebind() an array over the new memory`;
    throw new AdamWError("DETACHED", message);
  }
  if (length !== undefined && array.length !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${name} but received ${array.length}`);
  }
  return array;
}

/** `ArrayBuffer.prototype.detached` came with Node 21; before, only making a view of the buffer tells it from an empty one. */
function isDetached(array: Float32Array): boolean {
  if (array.length > 0) return false;
  const buffer = array.buffer as ArrayBufferLike & { detached?: boolean };
  if (buffer.detached !== undefined) return buffer.detached;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * Two streams of a step over the same memory would make its result depend on the order of threads.
 *
 * @throws INVALID_ARGUMENT
 */
export function checkOverlap(parameters: readonly Pick<Parameter, "name" | "value" | "gradient">[]): void {
  const arrays = parameters.flatMap(({ name, value, gradient }) => [
    { name: `the value of ${name}`, array: value },
    ...(gradient ? [{ name: `the gradient of ${name}`, array: gradient }] : []),
  ]);
  const byBuffer = new Map<ArrayBufferLike, typeof arrays>();
  for (const entry of arrays) {
    const group = byBuffer.get(entry.array.buffer);
    if (group) group.push(entry);
    else byBuffer.set(entry.array.buffer, [entry]);
  }
  for (const group of byBuffer.values()) {
    const sorted = group
      .filter(({ array }) => array.length > 0)
      .sort((a, b) => a.array.byteOffset - b.array.byteOffset);
    for (const [i, next] of sorted.entries()) {
      const before = sorted[i - 1];
      if (before && before.array.byteOffset + before.array.byteLength > next.array.byteOffset) {
        throw invalid("parameters", `memory of their own (${before.name} and ${next.name} overlap)`, next.array);
      }
    }
  }
}
