/** What a word was meant to be: other spellings, and what other libraries call the same thing. */

/**
 * The names of other libraries that resemble ours too little, or the wrong one of ours: PyTorch's, Optax', those of
 * common training programs. In lower case and without punctuation, as words are compared.
 */
export const otherNames: Readonly<Record<string, readonly string[]>> = {
  schedule: ["learningRate"],
  scheduler: ["learningRate"],
  betas: ["beta1", "beta2"],
  mask: ["excludeFromWeightDecay"],
  gradclip: ["globalClipnorm"],
  clipgradnorm: ["globalClipnorm"],
  maxnorm: ["globalClipnorm"],
  maxgradnorm: ["globalClipnorm"],
  gradientclipval: ["globalClipnorm"],
  ema: ["useEma"],
  emadecay: ["emaMomentum"],
  accumulationsteps: ["gradientAccumulationSteps"],
  accumulategradbatches: ["gradientAccumulationSteps"],
  paramgroups: ["groups"],
};

/**
 * The known words that one stands for which is misspelt, differently cased (`beta_1`), abbreviated, or another
 * library's.
 */
export function meanings(word: string, known: readonly string[]): readonly string[] {
  const wanted = plain(word);
  const same = known.find((candidate) => plain(candidate) === wanted);
  if (same !== undefined) return [same];
  const others = Object.hasOwn(otherNames, wanted) ? (otherNames[wanted] ?? []) : [];
  const found = others.flatMap((name) => known.find((candidate) => plain(candidate) === plain(name)) ?? []);
  if (found.length > 0) return found;
  const similar = closest(word, known);
  return similar === undefined ? [] : [similar];
}

/** The known word that is spelt most like another; undefined: none is. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const wanted = plain(word);
  if (wanted === "") return undefined;
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (ranked && ranked.distance <= Math.min(2, wanted.length / 3)) return ranked.candidate;
  return known.find((candidate) => abbreviates(wanted, plain(candidate)));
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

function abbreviates(short: string, long: string): boolean {
  let at = 0;
  for (const letter of long) if (letter === short[at]) at += 1;
  return long[0] === short[0] && at === short.length;
}

/** Levenshtein's distance: insertions, deletions and substitutions, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const letter of a) {
    const next = [(row[0] ?? 0) + 1];
    for (let j = 1; j <= b.length; j += 1) {
      const [left = 0, above = 0, diagonal = 0] = [next[j - 1], row[j], row[j - 1]];
      next.push(Math.min(left + 1, above + 1, diagonal + (letter === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
