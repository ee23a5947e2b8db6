/** Proves a result before it is timed. */

import { setImmediate } from "node:timers/promises";
import type { AdamW } from "../../adamw.js";
import { type AdamWOptions, resolveOptions } from "../../options.js";
import { parseParameters } from "../../parameters.js";
import { CommandError } from "../exit.js";
import { randomWords } from "../random.js";
import { BenchMemory } from "./memory.js";
import { oracle, oracleSettings } from "./oracle.js";
import type { StepMemory } from "./step-memory.js";

/** They differ, since constant gradients alone leave the sign only. */
const scales = [1, 0.25, 3, 0.5, 2, 1];
const samplesPerParameter = 200;
/** At the start and the end of a parameter every element is looked at. */
const edge = 70;

/**
 * Takes a few steps with a new optimizer over `memory` and holds samples of every parameter to the float64 oracle.
 *
 * @throws CommandError (failed) naming the first wrong element, AbortError
 */
export async function verify(
  optimizer: AdamW,
  given: AdamWOptions,
  memory: StepMemory,
  signal?: AbortSignal,
): Promise<void> {
  const options = resolveOptions(given);
  if (options.skipAboveNorm !== null) throw new CommandError("usage", "--check does not know skipAboveNorm");
  await memory.reset(signal);
  const { source } = memory;
  const parameters = parseParameters(source.parameters);
  const settings = oracleSettings(options, parameters);
  const squares: number[] = [];
  for (const [i, { gradient }] of source.parameters.entries()) {
    squares.push(settings[i]?.frozen ? 0 : sumOfSquares(gradient));
    await setImmediate(undefined, { signal });
  }
  const globalNorm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
  for (const gradientScale of scales) {
    optimizer.step({ gradientScale });
    await setImmediate(undefined, { signal });
  }
  optimizer.synchronize();

  for (const [row, { name }] of source.parameters.entries()) {
    const value = memory.values(row);
    const input = { options, setting: settings[row]!, scales, norm: Math.sqrt(squares[row]!), globalNorm };
    for (const i of samplePlaces(value.length, row)) {
      const expected = oracle(input, BenchMemory.valueAt(row, i), BenchMemory.gradientAt(row, i));
      // Rounding p once per step, and some units in the last place of each change.
      const tolerance = scales.length * 2 ** -24 * Math.abs(expected.value) + 2e-5 * expected.moved;
      if (Math.abs(value[i]! - expected.value) <= tolerance) continue;
      const message = `${optimizer.device} is wrong: ${name}[${i}] is ${value[i]} after ${scales.length} steps, in float64 ${expected.value}`;
      throw new CommandError("failed", message, { code: "WRONG_RESULT" });
    }
  }
}

function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

function samplePlaces(length: number, seed: number): Set<number> {
  const words = randomWords(seed);
  const places = new Set<number>();
  for (let i = 0; i < Math.min(length, edge); i += 1) places.add(i).add(length - 1 - i);
  for (let i = 0; i < samplesPerParameter && i < length; i += 1) places.add(Math.floor((words() / 2 ** 32) * length));
  return places;
}
