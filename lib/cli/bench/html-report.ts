/** The result of a benchmark as a page with charts. */

import { renderPage } from "../html-page.js";
import { chartsOf } from "./charts.js";
import { columnsOf, preface } from "./formats.js";
import type { BenchDocument } from "./result.js";
import { yardstick } from "./yardstick.js";

export function asHtml(document: BenchDocument): string {
  const { shown, common } = columnsOf(document);
  const samples = Math.min(...document.rows.map((row) => row.samples.length));
  return renderPage({
    title: "fused-adamw: speed of an optimizer step",
    subtitle: `${document.machine.cpu}, ${document.date.slice(0, 16).replace("T", " ")} UTC`,
    facts: preface(document, common),
    charts: chartsOf(document),
    table: {
      head: shown.map(({ title, align }) => ({ title, align })),
      rows: document.rows.map((row) => shown.map(({ cell }) => cell(row))),
    },
    notes: [
      ["command", document.command],
      [
        "samples",
        `at least ${Number.isFinite(samples) ? samples : 0} per row; all contestants take one per round, in turns`,
      ],
      [
        "of stream",
        `the median, over rounds, of the step's bytes per second over those of the in-place stream beside it; ${yardstick}`,
      ],
      ["speed-up", "the median, over rounds, of the baseline's time over the row's; the baseline has 1 ×"],
      ["± MAD", "median distance of the samples from their median"],
    ],
  });
}
