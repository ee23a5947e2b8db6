/** A page in one file: text, tables, charts and the library that draws them; it needs no network. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { CommandError } from "./exit.js";

export interface PageChart {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  /** Options of ECharts; a formatter may be the name of one of the page's. */
  readonly option: object;
}

export interface PageTable {
  readonly head: readonly { readonly title: string; readonly align?: "left" | "right" | undefined }[];
  readonly rows: readonly (readonly string[])[];
}

export interface Page {
  readonly title: string;
  readonly subtitle: string;
  readonly facts: readonly (readonly [name: string, text: string])[];
  readonly charts: readonly PageChart[];
  readonly table: PageTable;
  /** The command that gives the same page, and what else stands at the end. */
  readonly notes: readonly (readonly [name: string, text: string])[];
}

/** A legend of as many lines as it takes, all of them in print too; the page makes room for it below the chart. */
export const legendLook = {
  type: "plain",
  bottom: 0,
  left: "center",
  itemWidth: 25,
  itemHeight: 14,
  itemGap: 14,
  textStyle: { color: "#334155", fontSize: 13 },
} as const;

const library = "echarts/dist/echarts.min.js";

/** From the user's project, else from where this package stands. @throws CommandError when it is not installed */
export function chartLibrary(): string {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return readFileSync(createRequire(from).resolve(library), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  throw new CommandError("missing", "HTML reports need Apache ECharts: npm install echarts");
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!);
}

/** JSON that cannot end the script element it stands in. */
function inlineJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function factList(facts: Page["facts"]): string {
  return `<dl>${facts.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`).join("")}</dl>`;
}

function tableHtml({ head, rows }: PageTable): string {
  const cell = (tag: string) => (text: string, i: number) =>
    `<${tag} class="${head[i]!.align ?? "left"}">${escapeHtml(text)}</${tag}>`;
  const lines = rows.map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`);
  const titles = head.map(({ title }) => title).map(cell("th"));
  return `<div class="scroll"><table><thead><tr>${titles.join("")}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
}

const style = `
:root { color-scheme: light; --ink: #0f172a; --soft: #475569; --line: #e2e8f0; }
* { box-sizing: border-box; }
body { margin: 0; background: #f8fafc; color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1360px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 4px; }
.subtitle { color: var(--soft); margin: 0 0 24px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 20px 24px; margin: 0 0 20px; }
.caption { color: var(--soft); margin: 0 0 12px; max-width: 90ch; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px; }
.charts section:first-child:nth-last-child(odd) { grid-column: 1 / -1; }
.charts section { margin: 0; display: flex; flex-direction: column; }
.charts .chart { margin-top: auto; }
.charts { margin: 0 0 20px; }
@media (max-width: 860px) { .charts { grid-template-columns: minmax(0, 1fr); } }
.chart { width: 100%; height: 400px; overflow: hidden; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 20px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  main { padding: 24px 12px 40px; }
  section { padding: 16px; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin: 0 0 8px; }
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; font-size: 12px; }
th { color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); }
th, td { padding: 6px 8px 6px 0; text-align: left; }
td { border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th:last-child, td:last-child { padding-right: 0; }
.right { text-align: right; }
@media print {
  body { background: #fff; }
  main { padding: 0; }
  section { break-inside: avoid; }
  .charts { grid-template-columns: minmax(0, 1fr); }
  .scroll { overflow: visible; }
  table { white-space: normal; font-size: 10px; }
}
`;

/** Runs in the reader's browser. */
const script = `
const digits = (value) => Number(value.toPrecision(3)).toString();
const scaled = (steps) => (value) => {
  const [factor, unit] = steps.find(([factor]) => value >= factor * 0.9995) ?? steps.at(-1);
  return digits(value / factor) + unit;
};
const formatters = {
  count: scaled([[1e9, " B"], [1e6, " M"], [1e3, " k"], [1, ""]]),
  seconds: scaled([[1, " s"], [1e-3, " ms"], [1e-6, " µs"], [1e-9, " ns"]]),
  number: digits,
};
const chartHeight = 400;
const printWidth = 640;
const fits = [];
const pen = document.createElement("canvas").getContext("2d");
/** What ECharts will take for the lines of a legend: it tells nobody. */
const legendRoom = ({ data, itemWidth, itemHeight, itemGap, textStyle }, width) => {
  pen.font = textStyle.fontSize + "px system-ui, sans-serif";
  const padding = 5;
  let lines = 1;
  let x = 0;
  for (const { name } of data) {
    const item = itemWidth + padding + pen.measureText(name).width;
    if (x > 0 && x + item > width - 2 * padding) {
      lines += 1;
      x = 0;
    }
    x += item + itemGap;
  }
  return lines * (itemHeight + itemGap);
};
const withFormatters = (axis) => ({ ...axis, axisLabel: { ...axis.axisLabel, formatter: formatters[axis.axisLabel.formatter] } });
for (const { id, option } of JSON.parse(document.getElementById("charts").textContent)) {
  const [x, y] = [option.xAxis.axisLabel.formatter, option.yAxis.axisLabel.formatter].map((name) => formatters[name]);
  const box = document.getElementById(id);
  const chart = echarts.init(box, null, { renderer: "svg" });
  const tooltip = {
    ...option.tooltip,
    formatter: ({ seriesName, name, value }) =>
      [seriesName, name, x(value[0]) + " " + option.xAxis.name, y(value[1]) + " " + option.yAxis.name]
        .filter(Boolean)
        .map((line) => echarts.format.encodeHTML(line))
        .join("<br>"),
  };
  chart.setOption({ ...option, tooltip, xAxis: withFormatters(option.xAxis), yAxis: withFormatters(option.yAxis) });
  const fit = (width = box.clientWidth) => {
    const room = option.legend ? legendRoom(option.legend, width) : 0;
    const height = chartHeight + room;
    box.style.height = height + "px";
    chart.resize({ width, height });
    chart.setOption({ grid: { bottom: option.grid.bottom + room } });
  };
  fit();
  fits.push(fit);
  new ResizeObserver(() => fit()).observe(box);
}
// Paper is narrower than a window, and nothing tells of it in time.
addEventListener("beforeprint", () => fits.forEach((fit) => fit(Math.min(printWidth, innerWidth))));
addEventListener("afterprint", () => fits.forEach((fit) => fit()));
`;

export function renderPage({ title, subtitle, facts, charts, table, notes }: Page): string {
  const figures = charts.map(
    ({ id, title: heading, caption }) =>
      `<section><h2>${escapeHtml(heading)}</h2><p class="caption">${escapeHtml(caption)}</p><div class="chart" id="${id}"></div></section>`,
  );
  const data = charts.map(({ id, option }) => ({ id, option }));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="subtitle">${escapeHtml(subtitle)}</p>
<section>${factList(facts)}</section>
<div class="charts">${figures.join("\n")}</div>
<section><h2>Numbers</h2>${tableHtml(table)}</section>
<section><h2>How this was measured</h2>${factList(notes)}</section>
</main>
<script type="application/json" id="charts">${inlineJson(data)}</script>
<script>${chartLibrary()}</script>
<script>${script}</script>
</body>
</html>
`;
}
