/** The parameters and gradients that contestants share: a hash of the index, so that any element can be recomputed. */

import { setImmediate } from "node:timers/promises";
import type { Work } from "../work.js";
import type { HostMemory, HostParameter } from "./step-memory.js";

/** Gradients are this much smaller than parameters, which lie in [−0.5, 0.5). */
const gradientScale = 2 ** -6;

/** Elements that are filled before a Ctrl-C is heard: some 10 ms. */
const piece = 2 ** 22;

/** Of most processors at most, where the system does not say. */
const usualCache = 2 ** 26;

/** Exact in float32. The multiplier is Knuth's, 2³² divided by the golden ratio. */
function hashed(seed: number, index: number): number {
  return (Math.imul(index + seed * 977, 2654435761) >>> 8) * 2 ** -24 - 0.5;
}

export class BenchMemory implements HostMemory {
  readonly parameters: readonly HostParameter[];
  readonly #cacheBytes: number;
  #junk: Float64Array | undefined;

  /** Zeros until `reset`. `cacheBytes`: of the largest cache. */
  constructor({ parameters }: Pick<Work, "parameters">, cacheBytes = usualCache) {
    this.#cacheBytes = cacheBytes;
    this.parameters = parameters.map(({ name, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return { name, shape, value: new Float32Array(length), gradient: new Float32Array(length) };
    });
  }

  get source(): BenchMemory {
    return this;
  }

  values(row: number): Float32Array {
    return this.parameters[row]!.value;
  }

  async reset(signal?: AbortSignal): Promise<void> {
    let filled = 0;
    for (const [row, { value, gradient }] of this.parameters.entries()) {
      for (let begin = 0; begin < value.length; begin += piece) {
        const end = Math.min(value.length, begin + piece);
        for (let i = begin; i < end; i += 1) value[i] = BenchMemory.valueAt(row, i);
        for (let i = begin; i < end; i += 1) gradient[i] = BenchMemory.gradientAt(row, i);
        filled += end - begin;
        if (filled < piece) continue;
        filled = 0;
        await setImmediate(undefined, { signal });
      }
    }
  }

  /** With zeros the moments would decay into subnormal numbers, which are slow. */
  restoreGradients(): void {
    if (this.parameters.every(({ gradient }) => gradient[0] !== 0 || gradient.length === 0)) return;
    for (const [row, { gradient }] of this.parameters.entries()) {
      for (let i = 0; i < gradient.length; i += 1) gradient[i] = BenchMemory.gradientAt(row, i);
    }
  }

  /** Writes and reads twice the largest cache. */
  flushCaches(): void {
    this.#junk ??= new Float64Array(Math.ceil((2 * this.#cacheBytes) / Float64Array.BYTES_PER_ELEMENT));
    for (let i = 0; i < this.#junk.length; i += 8) this.#junk[i] = this.#junk[i]! + 1;
  }

  static valueAt(row: number, index: number): number {
    return hashed(2 * row, index);
  }

  static gradientAt(row: number, index: number): number {
    return hashed(2 * row + 1, index) * gradientScale;
  }
}
