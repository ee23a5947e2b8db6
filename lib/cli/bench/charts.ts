/** The charts of the report as options of Apache ECharts: plain data, since they are drawn in the reader's browser. */

import { counted, formatCount, significant } from "../format.js";
import { type PageChart as Chart, legendLook } from "../html-page.js";
import { ownName } from "./build.js";
import { type BenchDocument, type BenchRow, summarize } from "./result.js";
import { yardstick } from "./yardstick.js";

/** "count" and "seconds" are names of formatters that the page has; ECharts itself takes functions only. */
type Formatter = "count" | "seconds" | "number";

/** Okabe and Ito (2008): the colour-blind tell them apart. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const symbols = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle"];
const ink = "#334155";
const faint = "#e2e8f0";

/** What a line of a chart is: one contestant through all work. */
function seriesName(row: BenchRow, rows: readonly BenchRow[]): string {
  const varies = (key: "device" | "threads" | "options") =>
    new Set(rows.filter(({ name }) => name === row.name).flatMap((other) => other[key] ?? [])).size > 1;
  const details = [
    varies("device") ? row.device : "",
    // A peer takes as many as suit the work.
    varies("threads") && row.name === ownName && row.threads !== null ? counted(row.threads, "thread") : "",
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
function frame(
  xAxis: object,
  yAxis: object,
  series: readonly object[],
  { names, right = 32 }: { names?: readonly { name: string; icon?: string }[]; right?: number } = {},
): object {
  return {
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 76, right, top: 24, bottom: 60 },
    ...(names && {
      legend: { ...legendLook, data: names },
    }),
    tooltip: { trigger: "item" },
    xAxis: { nameGap: 32, ...xAxis },
    yAxis: { nameGap: 52, ...yAxis },
    series,
  };
}

function point(value: readonly [number, number], row: BenchRow): { value: readonly [number, number]; name: string } {
  return { value, name: `${row.work}: ${formatCount(row.parameters)} parameters in ${counted(row.tensors, "tensor")}` };
}

const line = { type: "line", symbolSize: 9, lineStyle: { width: 2 } };
const grey = "#64748b";
/** Readable on top of marks and lines. */
const halo = { color: ink, textBorderColor: "#fff", textBorderWidth: 3 };

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
    label: {
      ...halo,
      show: labelled,
      formatter: row.work,
      // Neighbours of about the same size would write over each other.
      position: i % 2 === 0 ? "top" : "bottom",
      distance: 9,
      fontSize: 11,
    },
  }));
  return [
    { ...line, ...look, name, data: points(rows.filter(isSweep)) },
    { ...look, type: "scatter", name, symbolSize: 13, labelLayout: { hideOverlap: true }, data: labels },
  ];
}

/** The devices on which the stream was measured, each with the look of its line. */
function streamsOf(all: readonly BenchRow[]): { device: string; type: string | readonly number[]; suffix: string }[] {
  const streamed = all.filter(({ streamSamples }) => streamSamples.length > 0);
  const names = [...new Set(streamed.map(({ device }) => device))];
  const types = ["dashed", "dotted", [12, 3], [2, 6]];
  return names.map((device, i) => ({
    device,
    type: types[i % types.length]!,
    suffix: names.length > 1 ? `, ${device}` : "",
  }));
}

const streamName = "in-place stream";
/** A broken line as the legend's own picture of a series without points. */
const dashes = "path://M0,0h7v2h-7zM9,0h7v2h-7zM18,0h7v2h-7z";

/** The stream beside a series: a broken line through a sweep, a dash over the mark of one size or of other work. */
function stream({ name, rows, look }: Series, all: readonly BenchRow[]): object[] {
  const streamed = rows.filter(({ streamSamples }) => streamSamples.length > 0);
  const sweep = streamed.filter(({ tensors }) => tensors === 1);
  const isLine = new Set(sweep.map(({ parameters }) => parameters)).size > 1;
  const points = (onLine: boolean) =>
    streamed
      .filter((row) => (isLine && sweep.includes(row)) === onLine)
      .map((row) => {
        const spot = point([row.parameters, summarize(row, all).streamBandwidth! / 1e9], row);
        return { ...spot, name: `${streamName}, ${spot.name}` };
      });
  // Under the same name: the legend shows and hides them with what they were measured beside.
  return [
    { ...line, name, color: look.color, symbol: "none", lineStyle: { width: 1.5, type: "dashed" }, data: points(true) },
    { name, color: look.color, type: "scatter", symbol: "rect", symbolSize: [18, 2], data: points(false) },
  ].filter(({ data }) => data.length > 0);
}

/** GB/s by size, with the streams of the same run. */
function speeds(list: readonly Series[], all: readonly BenchRow[]): Chart {
  const streams = list.flatMap((one) => stream(one, all));
  const series = list.flatMap((one, i) => lineAndMarks(one, i === 0, (row) => summarize(row, all).bandwidth / 1e9));
  // Nothing but its entry in the legend.
  const key = { ...line, name: streamName, color: grey, data: [] };
  return {
    id: "speed",
    title: "Speed by size",
    caption: `Bytes that a step must move, by the byte model, per second. A broken line, or a dash, in the colour of a step is the in-place stream beside it: a pass over the same memory with the same loads and stores and next to no arithmetic, ${yardstick}.`,
    option: frame(
      axis("parameters", "count", decades(all.map(({ parameters }) => parameters))),
      axis("GB/s", "number", { type: "value", min: 0 }),
      [...series, ...streams, ...(streams.length > 0 ? [key] : [])],
      {
        names: [
          ...list.map(({ name }) => ({ name })),
          ...(streams.length > 0 ? [{ name: streamName, icon: dashes }] : []),
        ],
      },
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
  const devices = streamsOf(all);
  const roofs = devices.flatMap(({ device, type, suffix }) => {
    const sorted = all
      .filter((row) => row.device === device)
      .flatMap((row) => summarize(row, all).streamBandwidth ?? [])
      .sort((a, b) => a - b);
    const [slowest, fastest] = [sorted[0]!, sorted.at(-1)!];
    const lowest = { speed: slowest, type: "solid", name: `in-place stream of the slowest work${suffix}`, suffix };
    const highest = { speed: fastest, type, name: `in-place stream of the fastest work${suffix}`, suffix };
    // The lower roofs of several devices would be a thicket.
    return devices.length > 1 || slowest === fastest ? [highest] : [lowest, highest];
  });
  const isTwo = roofs.length > devices.length;
  const key = isTwo
    ? "The solid line is the stream of the slowest work, the broken one that of the fastest, such as small work in the caches."
    : "A broken line is the stream, on each device that of the fastest work.";
  const roofSeries = roofs.map(({ speed, type, name, suffix }) => ({
    ...line,
    name,
    symbol: "none",
    lineStyle: { width: 2, color: grey, type },
    itemStyle: { color: grey },
    endLabel: { ...halo, show: true, formatter: `${significant(speed / 1e9)} GB/s${suffix}`, align: "left" },
    data: roofRange.map((intensity) => [intensity, (intensity * speed) / 1e9]),
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
    caption: `A step does few operations per byte, so its roof is about what the memory gives: bytes per second of the in-place stream times operations per byte. ${key} Colours as above.`,
    option: frame(
      axis("operations per byte", "number", { min: roofRange[0], max: roofRange[1], logBase: 2 }),
      axis("Goperations/s", "number"),
      [...roofSeries, ...series],
      { right: 84 + 7 * Math.max(0, ...devices.map(({ suffix }) => suffix.length)) },
    ),
  };
}

/** Of rows there are, so that an interrupted run has a report too. */
export function chartsOf({ rows }: BenchDocument): Chart[] {
  if (rows.length === 0) return [];
  const list = seriesOf(rows);
  return [speeds(list, rows), times(list, rows), roofline(list, rows)];
}
