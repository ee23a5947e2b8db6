/** The result of a benchmark in every format. */

import { formatBytes, formatCount, formatSeconds, significant } from "../format.js";
import { type Column, renderCsv, renderMarkdown, renderSection, renderTable } from "../table.js";
import { ownName } from "./build.js";
import { emulatorNote, isEmulated } from "./emulated.js";
import { describeGpus } from "./gpu-report.js";
import { type BenchDocument, type BenchRow, baselineOf, summarize } from "./result.js";
import { yardstickNote } from "./yardstick.js";

const times = (ratio: number | null) => (ratio === null ? "–" : `${significant(ratio)} ×`);
const spread = (part: number, whole: number) => `${significant((100 * part) / whole, 2)} %`;

function deviceCell(row: BenchRow): string {
  const { device, threads, graph } = row;
  return [
    threads === null ? device : `${device} ×${threads}`,
    ...(graph ? ["graph"] : []),
    ...(isEmulated(row) ? ["emulator"] : []),
  ].join(", ");
}

/** Columns in which all rows are alike say nothing in the table; they stand above it. */
export function columnsOf(document: BenchDocument): { shown: Column<BenchRow>[]; common: [string, string][] } {
  const { rows } = document;
  const of = new Map(rows.map((row) => [row, summarize(row, rows)]));
  const identity: Column<BenchRow>[] = [
    { title: "work", cell: ({ work }) => work },
    { title: "parameters", align: "right", spare: 4, cell: ({ parameters }) => formatCount(parameters) },
    { title: "tensors", align: "right", spare: 7, cell: ({ tensors }) => String(tensors) },
    { title: "optimizer", cell: ({ name }) => name },
    { title: "device", cell: deviceCell },
    { title: "precision", cell: ({ dtype }) => dtype },
    { title: "options", cell: ({ options }) => options },
    { title: "B/param", align: "right", spare: 3, cell: ({ bytes }) => significant(bytes) },
  ];
  const measured: Column<BenchRow>[] = [
    { title: "median", align: "right", cell: (row) => formatSeconds(of.get(row)!.median) },
    { title: "± MAD", align: "right", spare: 1, cell: (row) => spread(of.get(row)!.deviation, of.get(row)!.median) },
    { title: "p99", align: "right", spare: 5, cell: (row) => formatSeconds(of.get(row)!.p99) },
    { title: "ns/param", align: "right", spare: 6, cell: (row) => significant(of.get(row)!.perParameter * 1e9) },
    { title: "GB/s", align: "right", spare: 2, cell: (row) => significant(of.get(row)!.bandwidth / 1e9) },
    {
      title: "of stream",
      align: "right",
      cell: (row) => (of.get(row)!.ofStream === null ? "–" : `${Math.round(100 * of.get(row)!.ofStream!)} %`),
    },
    { title: "speed-up", align: "right", cell: (row) => times(of.get(row)!.speedup) },
  ];
  const first = rows[0];
  const isCommon = ({ title, cell }: Column<BenchRow>) =>
    title !== "work" && first !== undefined && rows.every((row) => cell(row) === cell(first));
  const isRepeated = ({ title, cell }: Column<BenchRow>) =>
    title === "parameters" && rows.every((row) => cell(row) === row.work);
  const hasBaselines = rows.some((row) => of.get(row)!.speedup !== null && baselineOf(row, rows) !== row);
  return {
    shown: [
      ...identity.filter((column) => !isCommon(column) && !isRepeated(column)),
      ...measured.filter(({ title }) => title !== "speed-up" || hasBaselines),
    ],
    common: first ? identity.filter(isCommon).map(({ title, cell }) => [title, cell(first)]) : [],
  };
}

/** The lines above a table. */
export function preface(document: BenchDocument, common: readonly [string, string][]): [string, string][] {
  const { machine, version } = document;
  const caches = machine.caches ? `, ${machine.caches}` : "";
  const pages = machine.hugePages ? `, huge pages ${machine.hugePages}` : "";
  const checked = document.rows.length > 0 && document.rows.every((row) => row.checked || row.name !== ownName);
  return [
    ["machine", `${machine.cpu}, ${machine.processors} processors${caches}, ${formatBytes(machine.memory)}${pages}`],
    ["software", `fused-adamw ${version}, Node ${machine.node}, ${machine.system}`],
    ...describeGpus(document),
    ...(document.rows.some(isEmulated) ? [["no measurement", emulatorNote] as [string, string]] : []),
    ...common,
    ...Object.entries(document.streams).map(([options, streams]): [string, string] => [`bytes of ${options}`, streams]),
    ...(checked ? [["checked", "against float64 before timing"] as [string, string]] : []),
    ...document.absent.map(({ name, reason }): [string, string] => [`${name} is absent`, reason]),
    ...(document.interrupted ? [["interrupted", "not everything was measured"] as [string, string]] : []),
  ];
}

function asTable(document: BenchDocument): string {
  const { shown, common } = columnsOf(document);
  return [
    renderSection("bench", [...preface(document, common), ...yardstickNote(document)]),
    renderTable(shown, document.rows),
  ].join("\n\n");
}

function asMarkdown(document: BenchDocument): string {
  const { shown, common } = columnsOf(document);
  const lines = [...preface(document, common), ...yardstickNote(document)].map(([name, text]) => `- ${name}: ${text}`);
  return [lines.join("\n"), renderMarkdown(shown, document.rows), `\`${document.command}\``].join("\n\n");
}

/** One flat record per row: what was measured and what follows, without the samples. */
function records(document: BenchDocument): Record<string, unknown>[] {
  return document.rows.map((row) => {
    const { samples, streamSamples, ...rest } = row;
    const summary = summarize(row, document.rows);
    return { ...rest, samples: samples.length, ...summary, cpu: document.machine.cpu, version: document.version };
  });
}

/** Every format; html is written by html-report.ts, which loads the chart library. */
export const formats = {
  table: asTable,
  markdown: asMarkdown,
  csv: (document: BenchDocument) => renderCsv(records(document)),
  json: (document: BenchDocument) => {
    const rows = document.rows.map((row) => ({ ...row, summary: summarize(row, document.rows) }));
    return JSON.stringify({ ...document, rows }, null, 2);
  },
  jsonl: (document: BenchDocument) =>
    records(document)
      .map((record) => JSON.stringify(record))
      .join("\n"),
} satisfies Record<string, (document: BenchDocument) => string>;

export type FormatName = keyof typeof formats | "html";
export const formatNames: readonly FormatName[] = [...(Object.keys(formats) as (keyof typeof formats)[]), "html"];
