/** The curves of training runs as a page. */

import { legendLook, type PageChart, renderPage } from "../html-page.js";
import type { Column } from "../table.js";
import { describeAccuracies } from "./accuracies.js";
import { mean, type Run } from "./run.js";

/**
 * Colours of Okabe and Ito (2008), which the colour-blind tell apart. Each is narrower than the one before, which it
 * may lie on: equal runs are all seen.
 */
const looks = [
  { color: "#9ccbe8", width: 8, symbolSize: 17 },
  { color: "#0b3c5d", width: 2, symbolSize: 11 },
  { color: "#d55e00", width: 2, symbolSize: 7 },
] as const;
/** Points of a loss curve per epoch; the losses of single batches would be a thicket. */
const pointsPerEpoch = 10;

function lossPoints({ losses, stepsPerEpoch }: Run): [number, number][] {
  const count = Math.min(losses.length, Math.ceil((losses.length / stepsPerEpoch) * pointsPerEpoch));
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((part) => Math.round((part * losses.length) / count)) as [number, number];
    return [(from + to) / 2 / stepsPerEpoch, mean(losses.slice(from, to))];
  });
}

/** Whole epochs up to the last one that was begun. */
function epochTicks(runs: readonly Run[]): { min: number; max: number; interval: number } {
  const max = Math.max(1, ...runs.map(({ losses, stepsPerEpoch }) => Math.ceil(losses.length / stepsPerEpoch)));
  return { min: 0, max, interval: Math.ceil(max / 10) };
}

function chart(
  runs: readonly Run[],
  names: { id: string; title: string; y: string; type: string },
  points: (run: Run) => number[][],
): PageChart {
  const axis = { nameLocation: "middle", axisLabel: { formatter: "number" }, scale: true };
  return {
    id: names.id,
    title: names.title,
    caption:
      names.type === "log"
        ? "Means of neighbouring batches, in nats."
        : `After each epoch: ${describeAccuracies(runs)}.`,
    option: {
      animation: false,
      textStyle: { fontFamily: "system-ui, sans-serif" },
      grid: { left: 76, right: 32, top: 24, bottom: 60 },
      legend: { ...legendLook, data: runs.map(({ label }) => ({ name: label })) },
      tooltip: { trigger: "item" },
      xAxis: { ...axis, ...epochTicks(runs), type: "value", name: "epoch", nameGap: 30 },
      yAxis: { ...axis, type: names.type, name: names.y, nameGap: 52 },
      series: runs.map((run, i) => {
        const { color, width, symbolSize } = looks[i % looks.length]!;
        const data = points(run);
        const symbol = names.type === "log" && data.length > 1 ? "none" : "circle";
        return { type: "line", name: run.label, data, color, symbol, symbolSize, lineStyle: { width } };
      }),
    },
  };
}

export function asHtml(
  runs: readonly Run[],
  columns: readonly Column<Run>[],
  settings: string,
  command: string,
): string {
  const accuracy = ({ accuracies }: Run) => accuracies.map((value, i) => [i + 1, 100 * value]);
  return renderPage({
    title: "Handwritten digits: TensorFlow.js' Adam and AdamW",
    subtitle: settings,
    facts: runs.map(({ label, device }): [string, string] => [label, `steps on ${device}`]),
    charts: [
      chart(runs, { id: "loss", title: "Training loss", y: "cross-entropy", type: "log" }, lossPoints),
      chart(runs, { id: "accuracy", title: "Test accuracy", y: "%", type: "value" }, accuracy),
    ],
    table: {
      head: columns.map(({ title, align }) => ({ title, align })),
      rows: runs.map((run) => columns.map(({ cell }) => cell(run))),
    },
    notes: [
      ["test", describeAccuracies(runs)],
      ["median ms/step", "of the optimizer's step alone: half of the steps took less"],
      ["command", command],
    ],
  });
}
