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

/**
 * Orders of the items, one after the other: a random one, the same backwards, another random one, and so on, so that of
 * two items each comes first equally often.
 */
export function* orders<T>(items: readonly T[], words: () => number): Generator<readonly T[], never> {
  for (;;) {
    const order = shuffled(items, words);
    yield order;
    yield order.toReversed();
  }
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], words: () => number): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = Math.floor((words() / 2 ** 32) * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
