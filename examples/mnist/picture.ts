/** The curves of the runs as one SVG. */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as echarts from "echarts";
import { mean, type Run } from "../../lib/cli/train/run.js";

/**
 * Colours of Okabe and Ito (2008), which the colour-blind tell apart. The first line is broad and pale, for others to
 * lie on it.
 */
const styles = [
  { color: "#9ccbe8", width: 8, type: "solid", symbol: 17 },
  { color: "#0b3c5d", width: 2, type: [7, 5], symbol: 11 },
  { color: "#d55e00", width: 2, type: "solid", symbol: 7 },
] as const;

/** Ends at round numbers near the data instead of at powers of ten. */
const logarithmic = {
  type: "log",
  min: ({ min }: { min: number }) => round(min, Math.floor),
  max: ({ max }: { max: number }) => round(max, Math.ceil),
  minorSplitLine: { show: true },
} as const;

/** One digit times a power of ten. */
function round(value: number, toInteger: (value: number) => number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return toInteger(value / unit) * unit;
}

/** Points of a loss curve per epoch; the losses of single batches would be a thicket. */
const pointsPerEpoch = 5;

export async function writePicture(path: string, runs: readonly Run[], subtitle: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, draw(runs, subtitle));
}

const size = { width: 1120, height: 520 } as const;

function draw(runs: readonly Run[], subtitle: string): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...size });
  const epochs = runs[0]!.accuracies.length;
  const epochAxis = { type: "value", name: "Epoch", nameLocation: "middle", nameGap: 30, min: 0, max: epochs } as const;
  const valueAxis = { type: "value", nameLocation: "middle", nameGap: 52, scale: true } as const;
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: "Handwritten digits: TensorFlow.js' Adam and AdamW", subtext: subtitle, left: "center", top: 12 },
    legend: { bottom: 14, itemWidth: 44, itemGap: 32, data: runs.map(({ label }) => label) },
    grid: [
      { left: 80, width: 440, top: 92, bottom: 104 },
      { left: 640, width: 440, top: 92, bottom: 104 },
    ],
    xAxis: [epochAxis, { ...epochAxis, gridIndex: 1 }],
    yAxis: [
      { ...valueAxis, ...logarithmic, name: "Training loss (cross-entropy, nats)" },
      { ...valueAxis, gridIndex: 1, name: "Test accuracy (%)" },
    ],
    series: [
      ...runs.map((run, i) => line(run.label, i, 0, lossPoints(run))),
      ...runs.map((run, i) => line(run.label, i, 1, accuracyPoints(run))),
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // As wide as there is room for; the view box keeps its proportions.
  return svg.replace(/^<svg width="\d+" height="\d+"/, `<svg width="100%" style="max-width: ${size.width}px"`);
}

function line(name: string, run: number, panel: number, data: [number, number][]): echarts.LineSeriesOption {
  const { color, width, type, symbol } = styles[run % styles.length]!;
  return {
    name,
    type: "line",
    xAxisIndex: panel,
    yAxisIndex: panel,
    data,
    color,
    lineStyle: { width, type: typeof type === "string" ? type : [...type] },
    symbol: panel === 0 ? "none" : "circle",
    symbolSize: symbol,
  };
}

/** Means of the losses since the point before. */
function lossPoints({ losses, stepsPerEpoch }: Run): [number, number][] {
  const count = Math.min(losses.length, Math.ceil((losses.length / stepsPerEpoch) * pointsPerEpoch));
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((point) => Math.round((point * losses.length) / count)) as [number, number];
    return [(from + to) / 2 / stepsPerEpoch, mean(losses.slice(from, to))];
  });
}

function accuracyPoints({ accuracies }: Run): [number, number][] {
  return accuracies.map((accuracy, i) => [i + 1, 100 * accuracy]);
}
