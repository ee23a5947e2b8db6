/** The parameters and gradients that contestants share: a hash of the index, so that any element can be recomputed. */

import type { ParameterInit } from "../../parameters.js";
import { product, type Work } from "../work.js";

/** Gradients are this much smaller than parameters, which lie in [−0.5, 0.5). */
const gradientScale = 2 ** -6;

/** Exact in float32. The multiplier is Knuth's, 2³² divided by the golden ratio. */
function hashed(seed: number, index: number): number {
  return (Math.imul(index + seed * 977, 2654435761) >>> 8) * 2 ** -24 - 0.5;
}

export interface BenchParameter extends ParameterInit {
  readonly shape: readonly number[];
  readonly value: Float32Array;
  readonly gradient: Float32Array;
}

export class BenchMemory {
  readonly parameters: readonly BenchParameter[];

  constructor({ parameters }: Work) {
    this.parameters = parameters.map(({ name, shape }) => {
      const length = product(shape);
      return { name, shape, value: new Float32Array(length), gradient: new Float32Array(length) };
    });
    this.reset();
  }

  /** The values every contestant starts from. */
  reset(): void {
    for (const [row, { value, gradient }] of this.parameters.entries()) {
      for (let i = 0; i < value.length; i += 1) value[i] = BenchMemory.valueAt(row, i);
      for (let i = 0; i < gradient.length; i += 1) gradient[i] = BenchMemory.gradientAt(row, i);
    }
  }

  /** Gradients that a step has zeroed would let the moments decay into subnormal numbers, which are slow. */
  restoreGradients(): void {
    if (this.parameters.every(({ gradient }) => gradient[0] !== 0 || gradient.length === 0)) return;
    for (const [row, { gradient }] of this.parameters.entries()) {
      for (let i = 0; i < gradient.length; i += 1) gradient[i] = BenchMemory.gradientAt(row, i);
    }
  }

  static valueAt(row: number, index: number): number {
    return hashed(2 * row, index);
  }

  static gradientAt(row: number, index: number): number {
    return hashed(2 * row + 1, index) * gradientScale;
  }
}
