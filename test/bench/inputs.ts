/** The numbers every contestant starts from: a hash of the index, exact in float32 whatever the language. */

const multiplier = 2654435761;
const stride = 977;
/** Gradients are this much smaller than parameters, which lie in [-0.5, 0.5). */
export const gradientScale = 2 ** -6;

export function parameterAt(row: number, index: number): number {
  return hashed(2 * row, index);
}

export function gradientAt(row: number, index: number): number {
  return hashed(2 * row + 1, index) * gradientScale;
}

function hashed(seed: number, index: number): number {
  return (Math.imul(index + seed * stride, multiplier) >>> 8) * 2 ** -24 - 0.5;
}

export function makeTensors(lengths: readonly number[]): { value: Float32Array; gradient: Float32Array }[] {
  return lengths.map((length, row) => {
    const value = new Float32Array(length);
    const gradient = new Float32Array(length);
    for (let i = 0; i < length; i += 1) {
      value[i] = parameterAt(row, i);
      gradient[i] = gradientAt(row, i);
    }
    return { value, gradient };
  });
}
