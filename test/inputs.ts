/** Numbers for tests, made from integers alone: the same ones as native tests make (test/native/inputs.h). */

import type { Variable } from "../lib/index.js";

/** 32 bits that look random. */
export function bits(seed: number, index: number): number {
  let x = (seed + Math.imul(index, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** In [-1, 1), exact in fp32. */
export function unit(seed: number, index: number): number {
  return ((bits(seed, index) >>> 8) - 2 ** 23) * 2 ** -23;
}

/** A number of a bell's shape around 0, exact in fp32. */
export function noise(seed: number, index: number): number {
  return Math.fround(unit(seed, 2 * index) + unit(seed, 2 * index + 1));
}

const tiny = 2 ** -149;
const smallestNormal = 2 ** -126;
const largest = (2 - 2 ** -23) * 2 ** 127;
const positives = [0, tiny, smallestNormal - tiny, smallestNormal, largest, 1, 1 + 2 ** -23, 1 - 2 ** -24, 1e-20, 1e19];

/** Finite values at which arithmetic changes its mind. */
export const finiteSpecials: readonly number[] = positives.flatMap((x) => [x, -x]).map(Math.fround);
/** And the others. */
export const specials: readonly number[] = [...finiteSpecials, Number.NaN, Infinity, -Infinity];

/** Ordinary numbers of many magnitudes with one of `mixed` in every `spacing` places or so. */
export function fill(length: number, seed: number, mixed: readonly number[], spacing = 8): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const choice = bits(seed + 1, i);
    if (mixed.length > 0 && choice % spacing === 0) return mixed[(choice >>> 8) % mixed.length]!;
    return unit(seed, i) * 2 ** (((choice >>> 16) % 24) - 18);
  });
}

/** The bits of numbers, for fp32 with one pattern for every NaN: payloads are nobody's promise. */
export function wordsOf(values: Variable["value"]): ArrayLike<number> {
  if (!(values instanceof Float32Array)) return values;
  const words = new Uint32Array(values.slice().buffer);
  for (let i = 0; i < words.length; i += 1) if ((words[i]! & 0x7fffffff) > 0x7f800000) words[i] = 0x7fc00000;
  return words;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

/** The index of the first number that differs in more than a NaN's payload; -1 for none. */
export function firstDifference(a: Variable["value"], b: Variable["value"]): number {
  if (Buffer.compare(bytesOf(a), bytesOf(b)) === 0) return -1;
  const [left, right] = [wordsOf(a), wordsOf(b)];
  if (left.length !== right.length) return 0;
  return Array.from(left).findIndex((word, i) => word !== right[i]);
}
