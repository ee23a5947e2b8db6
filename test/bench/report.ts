/** Outcomes as markdown. */

import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { median } from "../../lib/cli/statistics.js";
import { type Bar, type Case, works } from "./cases.js";
import type { Outcome, Result } from "./measure.js";

interface Entry {
  readonly subject: Case;
  readonly outcome: Outcome;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function machine(): string {
  const { model = "unknown" } = cpus()[0] ?? {};
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${model}, ${availableParallelism()} processors, ${memory} GiB, ${process.platform}-${process.arch}, Node ${process.version}${hugePages()}`;
}

function hugePages(): string {
  try {
    const text = readFileSync("/sys/kernel/mm/transparent_hugepage/enabled", "utf8");
    return `, transparent huge pages: ${/\[(\w+)\]/.exec(text)?.[1]}`;
  } catch {
    return "";
  }
}

export function byteModel(): string {
  const rows = Object.entries(works).map(([name, work]) => [name, work.description, work.streams, String(work.bytes)]);
  return table(["work", "of", "float32 streams", "bytes per parameter"], rows);
}

function duration(nanoseconds: number): string {
  if (nanoseconds < 1e5) return `${(nanoseconds / 1e3).toFixed(2)} µs`;
  return `${(nanoseconds / 1e6).toFixed(nanoseconds < 1e7 ? 3 : 1)} ms`;
}

export function resultTable(entries: readonly Entry[]): string {
  const rows = entries.flatMap(({ subject, outcome }) => {
    const count = subject.lengths.reduce((a, b) => a + b, 0);
    const { bytes } = works[subject.work];
    const stream = outcome.results.get("stream");
    const measured = [...outcome.results.values()].map((result) => {
      const time = median(result.rounds);
      return [
        subject.name,
        result.title,
        String(result.threads),
        duration(time),
        (time / count).toPrecision(3),
        ((bytes * count) / time).toFixed(1),
        stream ? `${(100 * median(ratios(stream, result))).toFixed(0)} %` : "",
      ];
    });
    const missing = [...outcome.absent].map(([name, reason]) => [
      subject.name,
      name,
      "",
      `absent: ${reason}`,
      "",
      "",
      "",
    ]);
    return [...measured, ...missing];
  });
  return table(["case", "who", "threads", "a step", "ns per parameter", "GB/s", "of the stream"], rows);
}

/** Round by round, so that what disturbs the machine for a while disturbs both. */
function ratios(left: Result, right: Result): number[] {
  return left.rounds.map((time, round) => time / (right.rounds[round] ?? Number.NaN));
}

function differences(left: Result, right: Result): number[] {
  return left.rounds.map((time, round) => (time - (right.rounds[round] ?? Number.NaN)) / 1e3);
}

export function barTable(entries: readonly Entry[]): string {
  const rows = entries.flatMap(({ subject, outcome }) =>
    subject.bars.flatMap((bar) => {
      const left = outcome.results.get(bar.left);
      const right = outcome.results.get(bar.right);
      return left && right ? [barRow(subject, bar, left, right)] : [];
    }),
  );
  return table(["case", "compared", "median", "lowest to highest round", "bar", "reached"], rows);
}

function barRow(subject: Case, { left, right, kind, bar }: Bar, a: Result, b: Result): string[] {
  const perTensor = kind === "microseconds more per tensor, at most" ? subject.lengths.length : 1;
  const isRatio = kind === "ratio at least";
  const values = isRatio ? ratios(a, b) : differences(a, b).map((value) => value / perTensor);
  const middle = median(values);
  const write = (value: number) => (isRatio ? `${value.toPrecision(3)} ×` : `${value.toFixed(3)} µs`);
  return [
    subject.name,
    `${left} ${isRatio ? "/" : "−"} ${right}${perTensor === 1 ? "" : ", per tensor"}`,
    write(middle),
    `${write(Math.min(...values))} to ${write(Math.max(...values))}`,
    `${isRatio ? "≥" : "≤"} ${isRatio ? bar.toFixed(1) : bar}`,
    (isRatio ? middle >= bar : middle <= bar) ? "yes" : "no",
  ];
}
