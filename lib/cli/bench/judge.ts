/** Whether something became slower, as far as the samples can tell. */

import { bootstrap, fewestForMedian, type Interval, median, medianInterval } from "../statistics.js";
import { ownName } from "./build.js";
import { type BenchDocument, type BenchRow, paired, streamFractions } from "./result.js";
import { fewestRounds } from "./rounds.js";

export type Verdict = "slower" | "faster" | "no difference seen" | "too few samples";

export interface Judgement {
  readonly work: string;
  readonly device: string;
  readonly threads: number | null;
  readonly options: string;
  /** The new time over the old one, less 1: above 0 is slower. With its 95 % confidence interval. */
  readonly change: Interval;
  readonly verdict: Verdict;
  /** Slower, and by more than is allowed. */
  readonly regression: boolean;
}

const fewestSamples = 8;

interface Change {
  readonly change: Interval;
  readonly enough: boolean;
}

/**
 * Two rows of one run that took turns: the ratio of each round is free of what both felt. Rounds between two starts
 * share where the memory lies, so each start counts as one value.
 */
function changeOfPair(before: BenchRow, after: BenchRow): Change {
  const ratios = paired(after.samples, before.samples);
  if (after.launches.length === 0) {
    return { change: bootstrap((list) => median(list!) - 1, ratios), enough: ratios.length >= fewestSamples };
  }
  let end = 0;
  const medians = after.launches.flatMap((count) => {
    const begin = end;
    end += count;
    const ofLaunch = ratios.slice(begin, end);
    return ofLaunch.length < fewestRounds ? [] : [median(ofLaunch) - 1]; // Ctrl-C may have cut the last one short
  });
  return { change: medianInterval(medians), enough: medians.length >= fewestForMedian };
}

/** Two runs: each in fractions of its own stream, since anything else compares machines or their moods. */
function changeOfRuns(before: BenchRow, after: BenchRow): Change {
  const [a, b] = [streamFractions(before), streamFractions(after)];
  return {
    change: bootstrap((from, to) => median(from!) / median(to!) - 1, a, b),
    enough: Math.min(a.length, b.length) >= fewestSamples,
  };
}

function judge(after: BenchRow, { change, enough }: Change, allowed: number): Judgement {
  const known: Verdict = change.low > 0 ? "slower" : change.high < 0 ? "faster" : "no difference seen";
  const verdict = enough ? known : "too few samples";
  const { work, device, threads, options } = after;
  return {
    work,
    device,
    threads,
    options,
    change,
    verdict,
    regression: verdict === "slower" && change.estimate > allowed,
  };
}

function isSameSubject(a: BenchRow, b: BenchRow): boolean {
  return (["work", "device", "threads", "graph", "dtype", "options"] as const).every((key) => a[key] === b[key]);
}

/** The pairs of a run with `--against`: the other build is what was, this one what is. */
export function judgePairs({ rows }: BenchDocument, allowed: number): Judgement[] {
  return rows
    .filter(({ name }) => name === ownName)
    .flatMap((after) => {
      const before = rows.find((row) => row.name !== ownName && isSameSubject(row, after));
      return before ? [judge(after, changeOfPair(before, after), allowed)] : [];
    });
}

/** The rows that two runs share. */
export function judgeRuns(before: BenchDocument, after: BenchDocument, allowed: number): Judgement[] {
  const measured = ({ rows }: BenchDocument) =>
    rows.filter(({ name, streamSamples }) => name === ownName && streamSamples.length > 0);
  return measured(after).flatMap((row) => {
    const old = measured(before).find((candidate) => isSameSubject(candidate, row));
    return old ? [judge(row, changeOfRuns(old, row), allowed)] : [];
  });
}

/** What differs between the machines of two runs. */
export function machineDifferences(a: BenchDocument, b: BenchDocument): string[] {
  const keys = ["cpu", "processors", "caches", "system", "node", "hugePages"] as const;
  const facts = ({ machine, gpus }: BenchDocument) => [
    ...keys.map((key) => [key, String(machine[key])] as const),
    [
      "gpus",
      gpus.map(({ device, model, driver }) => `${device} ${model}, driver for CUDA ${driver}`).join("; "),
    ] as const,
  ];
  const others = facts(b);
  return facts(a).flatMap(([key, value], i) =>
    value === others[i]![1] ? [] : [`${key}: ${value} / ${others[i]![1]}`],
  );
}
