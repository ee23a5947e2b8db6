/** Reproducible numbers: the same on every machine, so that a finding on one can be looked at on another. */

/** Mulberry32 (Tommy Ettinger, public domain): 32 random bits per call. */
export function randomWords(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  };
}

/** In [−1, 1), with all 24 bits of a float32. */
export function unit(word: number): number {
  return (word >>> 7) / 2 ** 24 - 1;
}
