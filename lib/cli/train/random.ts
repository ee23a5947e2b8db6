/** Random numbers that a seed repeats: Math.random() cannot be seeded. */

/** Uniform in [0, 1). */
export type Random = () => number;

/** What a run draws random numbers for; each purpose has a sequence of its own. */
const streams = { weights: 0x9e3779b9, order: 0x7f4a7c15 } as const;

/** Marsaglia's xorshift32 (2003, https://doi.org/10.18637/jss.v008.i14), seeded through MurmurHash3's finalizer. */
export function randomFrom(seed: number, stream: keyof typeof streams): Random {
  // Neighbouring seeds would give similar first numbers; zero would give nothing but zeros.
  let state = mix(seed ^ streams[stream]) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function mix(seed: number): number {
  let hash = seed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** 0 … count − 1 in random order (Fisher and Yates). */
export function shuffledIndices(count: number, random: Random): Uint32Array {
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swapped = indices[i]!;
    indices[i] = indices[j]!;
    indices[j] = swapped;
  }
  return indices;
}
