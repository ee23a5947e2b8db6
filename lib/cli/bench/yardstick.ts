/** What the in-place stream is to a step, in the words of every report. */

import { type BenchDocument, summarize } from "./result.js";

export const yardstick =
  "a yardstick, not a bound: step and stream take turns, so what the machine does meanwhile falls on one of them, and small work in the caches takes microseconds, of which that is a large part";

/** For a table with rows above 100 % of the stream. */
export function yardstickNote({ rows }: BenchDocument): [string, string][] {
  const isAbove = rows.some((row) => Math.round(100 * (summarize(row, rows).ofStream ?? 0)) > 100);
  return isAbove ? [["above 100 %", `the stream is ${yardstick}`]] : [];
}
