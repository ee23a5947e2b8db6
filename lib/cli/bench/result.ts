/** The document that a benchmark leaves behind: everything a report, a comparison or a reader needs. */

import type { Machine } from "../machine.js";
import { median, medianDeviation, quantile } from "../statistics.js";
import { ownName } from "./build.js";
import type { ClockRecord } from "./clocks.js";
import type { Subject } from "./contestant.js";
import { isEmulated } from "./emulated.js";
import type { GpuRecord } from "./gpus.js";

export interface BenchRow extends Subject {
  readonly work: string;
  readonly parameters: number;
  readonly tensors: number;
  /** Seconds per step of each sample. */
  readonly samples: readonly number[];
  /** How many of the samples each start of its process gave, in their order; empty where it was never started anew. */
  readonly launches: readonly number[];
  /** Seconds of each streaming pass beside them, and its bytes per parameter; empty where the device has none. */
  readonly streamSamples: readonly number[];
  readonly streamBytes: number;
  /** Whether the result was held to the float64 oracle before it was timed. */
  readonly checked: boolean;
}

export interface BenchDocument {
  readonly kind: "fused-adamw bench";
  readonly version: string;
  /** The command line. */
  readonly command: string;
  readonly date: string;
  readonly machine: Machine;
  /** The byte model of each set of options, in words. */
  readonly streams: Readonly<Record<string, string>>;
  readonly rows: readonly BenchRow[];
  readonly gpus: readonly GpuRecord[];
  /** Of each GPU during each piece of work. */
  readonly clocks: readonly ClockRecord[];
  /** Why there are none; empty where there are, or where no GPU was measured. */
  readonly clocksMissing: string;
  /** Peers that were asked for and are not here, with the reason. */
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
  /** Whether Ctrl-C ended it. */
  readonly interrupted: boolean;
}

/** What is shown of a row. Times in seconds, speeds in bytes per second. */
export interface RowSummary {
  readonly median: number;
  readonly deviation: number;
  readonly p99: number;
  readonly perParameter: number;
  readonly bandwidth: number;
  /** Of the same device's in-place stream over the same memory in the same run; null where it has none. */
  readonly streamBandwidth: number | null;
  readonly ofStream: number | null;
  /** Times as fast as the baseline of the same work; null for a copy, which is no step. */
  readonly speedup: number | null;
}

export function summarize(row: BenchRow, rows: readonly BenchRow[]): RowSummary {
  const middle = median(row.samples);
  const stream = row.streamSamples.length === 0 ? null : median(row.streamSamples);
  return {
    median: middle,
    deviation: medianDeviation(row.samples),
    p99: quantile(row.samples, 0.99),
    perParameter: middle / row.parameters,
    bandwidth: (row.bytes * row.parameters) / middle,
    streamBandwidth: stream === null ? null : (row.streamBytes * row.parameters) / stream,
    ofStream: stream === null ? null : median(streamFractions(row)),
    speedup: isCopy(row) ? null : median(paired(baselineOf(row, rows).samples, row.samples)),
  };
}

/**
 * The speed in bytes per second over that of the streaming pass beside it, sample by sample: what is noise to one is to
 * both.
 */
export function streamFractions({ samples, streamSamples, bytes, streamBytes }: BenchRow): number[] {
  return paired(streamSamples, samples).map((ratio) => (ratio * bytes) / streamBytes);
}

/** Ratios of samples of the same round. */
export function paired(above: readonly number[], below: readonly number[]): number[] {
  return below.slice(0, above.length).map((sample, i) => above[i]! / sample);
}

const isCopy = ({ name }: BenchRow) => name === "copy";

/**
 * The other build where two take turns; the first peer where some take part; else the first row of the same work. A
 * copy is no optimizer, and an emulator's time no time.
 */
export function baselineOf(row: BenchRow, rows: readonly BenchRow[]): BenchRow {
  const same = rows.filter(({ work }) => work === row.work);
  const isOwn = ({ name }: BenchRow) => name === ownName;
  const others = same.filter((one) => !isOwn(one) && !isCopy(one));
  const isAlike = (one: BenchRow) => (["device", "threads", "options"] as const).every((key) => one[key] === row[key]);
  // Builds that take turns do the same; a peer has options of its own.
  const pair = [same.find((one) => isOwn(one) && isAlike(one)), others.find(isAlike)];
  if (pair[0] && pair[1]) return pair[1];
  return others[0] ?? same.find((one) => !isCopy(one) && !isEmulated(one)) ?? same[0] ?? row;
}
