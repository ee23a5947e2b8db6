/** Counts as they are typed: 1e6, 124M, 50_000, lists and ranges. */

import { wrongValue } from "./exit.js";

const units: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 };
const pattern = /^(\d[\d_]*(?:\.\d+)?(?:e\+?\d+)?)([kmgbt]?)$/i;

/** What the error of a number of parameters gives as examples. */
export const sizeExamples = " such as 1000000, 1e6 or 124M";

/** A whole number ≥ `minimum`. @throws CommandError that gives `examples` */
export function parseCount(text: string, name: string, minimum = 1, examples = ""): number {
  const match = pattern.exec(text.trim());
  const count = match ? Number(match[1]!.replaceAll("_", "")) * units[match[2]!.toLowerCase()]! : Number.NaN;
  if (!Number.isSafeInteger(count) || count < minimum) {
    throw wrongValue(name, `a whole number ≥ ${minimum}${examples}`, text);
  }
  return count;
}

/** A finite number ≥ 0. @throws CommandError */
export function parseAmount(text: string, name: string, what = "a number ≥ 0"): number {
  const amount = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(amount) || amount < 0) throw wrongValue(name, what, text);
  return amount;
}

/** "5%" or "0.05". @throws CommandError */
export function parseShare(text: string, name: string): number {
  const share = text.endsWith("%") ? Number(text.slice(0, -1) || Number.NaN) / 100 : Number(text || Number.NaN);
  if (!(share >= 0 && share < 1)) throw wrongValue(name, "a share such as 5% or 0.05", text);
  return share;
}

const mostSteps = 100;

/**
 * "1e6,3e6" and "1e6..1e9*10" (each ten times the one before), in the order given; a range that says no factor has
 * `usualFactor`.
 *
 * @throws CommandError
 */
export function parseCounts(text: string, name: string, usualFactor: number, examples = ""): number[] {
  const parse = (part: string) => parseCount(part, name, 1, examples);
  return text.split(",").flatMap((part) => {
    const range = /^(.+?)\.\.([^*]+)(?:\*(.*))?$/.exec(part);
    if (!range) return [parse(part)];
    const [from, to] = [parse(range[1]!), parse(range[2]!)];
    const factor = range[3] === undefined ? usualFactor : Number(range[3]);
    if (!(factor > 1) || to < from)
      throw wrongValue(name, "a range FROM..TO*FACTOR with FROM ≤ TO and FACTOR > 1", part);
    const counts: number[] = [];
    for (let count = from; count <= to * (1 + 1e-9) && counts.length <= mostSteps; count *= factor) {
      counts.push(Math.round(count));
    }
    if (counts.length > mostSteps) throw wrongValue(name, `a range of at most ${mostSteps} sizes`, part);
    return [...new Set(counts)];
  });
}
