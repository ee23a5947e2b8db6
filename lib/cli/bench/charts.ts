/** The charts of the report as options of Apache ECharts: plain data, since they are drawn in the reader's browser. */

import { formatCount, significant } from "../format.js";
import type { PageChart as Chart } from "../html-page.js";
import { type BenchDocument, type BenchRow, summarize } from "./result.js";

/** "count" and "seconds" are names of formatters that the page has; ECharts itself takes functions only. */
type Formatter = "count" | "seconds" | "number";

/** Okabe and Ito (2008): the colour-blind tell them apart. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const symbols = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect"];
const ink = "#334155";
const faint = "#e2e8f0";

/** What a line of a chart is: one contestant through all work. */
function seriesName(row: BenchRow, rows: readonly BenchRow[]): string {
  const varies = (key: "device" | "threads" | "options") =>
    new Set(rows.filter(({ name }) => name === row.name).map((other) => other[key])).size > 1;
  const details = [
    varies("device") ? row.device : "",
    varies("threads") ? `${row.threads} threads` : "",
    varies("options") ? row.options : "",
  ].filter(Boolean);
  return [row.name, ...details].join(", ");
}

interface Series {
  readonly name: string;
  readonly rows: readonly BenchRow[];
  readonly look: { readonly color: string; readonly symbol: string };
}

function seriesOf(rows: readonly BenchRow[]): Series[] {
  const names = [...new Set(rows.map((row) => seriesName(row, rows)))];
  return names.map((name, i) => ({
    name,
    rows: rows.filter((row) => seriesName(row, rows) === name).sort((a, b) => a.parameters - b.parameters),
    look: { color: colours[i % colours.length]!, symbol: symbols[i % symbols.length]! },
  }));
}

function axis(name: string, formatter: Formatter, options: object = {}): object {
  return {
    type: "log",
    name,
    nameLocation: "middle",
    nameTextStyle: { color: ink, fontSize: 13 },
    axisLabel: { color: ink, formatter },
    axisLine: { show: true, lineStyle: { color: ink } },
    splitLine: { show: true, lineStyle: { color: faint } },
    ...options,
  };
}

/** `names`: of the legend; the smaller charts share that of the first. */
function frame(xAxis: object, yAxis: object, series: readonly object[], names?: readonly string[]): object {
  return {
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 76, right: 32, top: 24, bottom: names ? 92 : 60 },
    ...(names && {
      legend: { type: "scroll", bottom: 0, data: names, textStyle: { color: ink, fontSize: 13 }, itemGap: 20 },
    }),
    tooltip: { trigger: "item" },
    xAxis: { nameGap: 32, ...xAxis },
    yAxis: { nameGap: 52, ...yAxis },
    series,
  };
}

function point(value: readonly [number, number], row: BenchRow): object {
  return { value, name: `${row.work}: ${formatCount(row.parameters)} parameters in ${row.tensors} tensors` };
}

const line = { type: "line", symbolSize: 9, lineStyle: { width: 2 } };
const grey = "#64748b";

/** Whole decades around the values, so that no mark lies on the frame. */
function decades(values: readonly number[]): { min: number; max: number } {
  const exponent = (value: number, round: (x: number) => number) => 10 ** round(Math.log10(value));
  const [min, max] = [exponent(Math.min(...values) * 0.9, Math.floor), exponent(Math.max(...values) * 1.1, Math.ceil)];
  return { min, max };
}

/** Work of one tensor is a sweep and makes a line; models and lists of tensors are marks with their names. */
function lineAndMarks({ name, rows, look }: Series, labelled: boolean, y: (row: BenchRow) => number): object[] {
  const isSweep = ({ tensors }: BenchRow) => tensors === 1;
  const points = (chosen: readonly BenchRow[]) => chosen.map((row) => point([row.parameters, y(row)], row));
  const others = rows.filter((row) => !isSweep(row));
  const labels = others.map((row, i) => ({
    ...points(others)[i],
    label: { show: labelled, formatter: row.work, position: "top", color: ink, fontSize: 11 },
  }));
  return [
    { ...line, ...look, name, data: points(rows.filter(isSweep)) },
    { ...look, type: "scatter", name, symbolSize: 13, labelLayout: { hideOverlap: true }, data: labels },
  ];
}

/** GB/s by size, with the streaming limit of the same run. */
function speeds(list: readonly Series[], all: readonly BenchRow[]): Chart {
  const limited = list.find(({ rows }) => rows.some(({ streamSamples }) => streamSamples.length > 0));
  const limit = limited && {
    ...line,
    name: "in-place stream",
    symbol: "circle",
    symbolSize: 4,
    lineStyle: { width: 2, type: "dashed", color: grey },
    itemStyle: { color: grey },
    data: limited.rows
      .filter(({ tensors }) => tensors === 1)
      .map((row) => point([row.parameters, summarize(row, all).streamBandwidth! / 1e9], row)),
  };
  const series = list.flatMap((one, i) => lineAndMarks(one, i === 0, (row) => summarize(row, all).bandwidth / 1e9));
  return {
    id: "speed",
    title: "Speed by size",
    caption:
      "Bytes that a step must move, by the byte model, per second. The dashed line is a pass over the same memory with the same streams and next to no arithmetic, measured in turns with the step.",
    option: frame(
      axis("parameters", "count", decades(all.map(({ parameters }) => parameters))),
      axis("GB/s", "number", { type: "value", min: 0 }),
      limit ? [limit, ...series] : series,
      [...list.map(({ name }) => name), ...(limit ? [limit.name] : [])],
    ),
  };
}

function times(list: readonly Series[], all: readonly BenchRow[]): Chart {
  return {
    id: "time",
    title: "Time per step",
    caption: "Medians of the samples; both axes are logarithmic. Colours as above.",
    option: frame(
      axis("parameters", "count", decades(all.map(({ parameters }) => parameters))),
      axis("time per step", "seconds", decades(all.map((row) => summarize(row, all).median))),
      list.flatMap((one) => lineAndMarks(one, false, (row) => summarize(row, all).median)),
    ),
  };
}

const roofRange = [0.125, 8] as const;

/** Williams, Waterman and Patterson 2009. The roof is the memory's: what the arithmetic units could do is far above. */
function roofline(list: readonly Series[], all: readonly BenchRow[]): Chart {
  const device = all.find(({ streamSamples }) => streamSamples.length > 0)?.device;
  const limits = all
    .filter((row) => row.device === device)
    .flatMap((row) => summarize(row, all).streamBandwidth ?? [])
    .sort((a, b) => a - b);
  const roofs = [...new Set([limits[0], limits.at(-1)])].filter((limit) => limit !== undefined);
  const roofName = (limit: number) => `${device}: ${significant(limit / 1e9)} GB/s`;
  const roofSeries = roofs.map((limit, i) => ({
    ...line,
    name: `stream, ${i === 0 ? "slowest" : "fastest"} work`,
    symbol: "none",
    lineStyle: { width: 2, color: grey, type: i === 0 ? "solid" : "dashed" },
    itemStyle: { color: grey },
    endLabel: { show: true, formatter: roofName(limit), color: ink, align: "right", offset: [-8, 24] },
    data: roofRange.map((intensity) => [intensity, (intensity * limit) / 1e9]),
  }));
  const series = list
    .filter(({ rows }) => rows.some(({ operations }) => operations > 0))
    .map(({ name, rows, look }) => ({
      ...look,
      type: "scatter",
      name,
      symbolSize: 13,
      itemStyle: { color: look.color, opacity: 0.85 },
      data: rows.map((row) =>
        point([row.operations / row.bytes, (row.operations * row.parameters) / summarize(row, all).median / 1e9], row),
      ),
    }));
  return {
    id: "roofline",
    title: "Roofline",
    caption:
      "A step does few operations per byte, so its roof is the memory: bytes per second of the in-place stream times operations per byte. Small work has the higher roof of the caches. Colours as above.",
    option: frame(
      axis("operations per byte", "number", { min: roofRange[0], max: roofRange[1], logBase: 2 }),
      axis("Goperations/s", "number"),
      [...roofSeries, ...series],
    ),
  };
}

/** Of rows there are, so that an interrupted run has a report too. */
export function chartsOf({ rows }: BenchDocument): Chart[] {
  if (rows.length === 0) return [];
  const list = seriesOf(rows);
  return [speeds(list, rows), times(list, rows), roofline(list, rows)];
}
