/** The comparison of the runs in words and numbers. */

import Table from "cli-table3";
import { median } from "../../lib/cli/statistics.js";
import { mean, type Run } from "../../lib/cli/train/run.js";

interface Column {
  readonly head: string;
  cell(run: Run, reference: Run): string;
}

const columns: readonly Column[] = [
  { head: "run", cell: ({ label }) => label },
  { head: "optimizer\nruns on", cell: ({ device }) => device },
  { head: "loss,\nlast epoch", cell: ({ losses, stepsPerEpoch }) => mean(losses.slice(-stepsPerEpoch)).toFixed(4) },
  { head: "test\naccuracy", cell: ({ accuracies }) => `${(100 * accuracies.at(-1)!).toFixed(2)} %` },
  { head: "optimizer ms\nper step, median", cell: ({ optimizerTimes }) => median(optimizerTimes).toFixed(3) },
  { head: "faster\nby", cell: (run, reference) => `${speedup(run, reference).toFixed(1)} ×` },
  { head: "whole\nrun", cell: ({ seconds }) => `${seconds.toFixed(1)} s` },
];

function speedup(run: Run, reference: Run): number {
  return median(reference.optimizerTimes) / median(run.optimizerTimes);
}

/** A table of all runs; the first is the reference for speed. */
export function comparison(runs: readonly [Run, ...Run[]]): string {
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map((_, i) => (i < 2 ? "left" : "right")),
    style: { head: [], border: [] },
  });
  for (const run of runs) table.push(columns.map(({ cell }) => cell(run, runs[0])));
  return table.toString();
}

/** How far apart the losses of two runs are. */
export function agreement(a: Run, b: Run): string {
  const differences = a.losses.map((loss, i) => Math.abs(loss - b.losses[i]!));
  const [average, most] = [mean(differences), differences.reduce((a, b) => Math.max(a, b))].map((value) =>
    value.toExponential(1),
  );
  return `"${a.label}" and "${b.label}": the losses of a step differ by ${average} nats on average and ${most} at most.`;
}
