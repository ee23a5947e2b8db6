import { expect } from "chai";

/** Expects every number of `actual` within `bound` of `expected`; NaN and infinities must be the same. */
export function within(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: ArrayLike<number> | ((expected: number, i: number) => number),
  what: string,
): void {
  expect(actual.length, `${what}: length`).to.equal(expected.length);
  for (let i = 0; i < expected.length; i += 1) {
    const [ours, theirs] = [actual[i] as number, expected[i] as number];
    if (Object.is(ours, theirs) || ours === theirs) continue;
    const limit = typeof bound === "function" ? bound(theirs, i) : (bound[i] as number);
    const part = Math.abs(ours - theirs) / limit;
    if (!(part <= 1 && Number.isFinite(limit))) {
      expect.fail(`${what}, element ${i}: ${ours} is not within ${limit} of ${theirs} (${part} times the bound)`);
    }
  }
}

/** Within so many double roundings of each number, or of the largest of them where it is far below. */
export function withinDouble(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const largest = Math.max(0, ...Array.from(expected, Math.abs).filter(Number.isFinite));
  within(actual, expected, () => 1e-12 * largest, what);
}
