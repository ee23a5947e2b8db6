/** Tables: aligned for a terminal, one block per row where that is too narrow, markdown, CSV. */

import Table from "cli-table3";
import { columns, paint } from "./terminal.js";

export interface Column<Row> {
  readonly title: string;
  /** @default "left" */
  readonly align?: "left" | "right";
  readonly cell: (row: Row) => string;
  /** A mark of good or bad news where the terminal has colours. */
  readonly style?: (row: Row) => "green" | "red" | "yellow" | "dim" | undefined;
  /** May be left out of a table that is too wide for the terminal: the highest first. @default never */
  readonly spare?: number;
  /** Long texts are broken into lines where the table is too wide otherwise. @default false */
  readonly wraps?: boolean;
}

const gap = "  ";
/** A column that wraps is no narrower. */
const narrowest = 24;

/**
 * For people: aligned columns without rules, or blocks of `title  value` lines where they do not fit `width`, not even
 * without those that can be spared.
 */
export function renderTable<Row>(list: readonly Column<Row>[], rows: readonly Row[], width = columns()): string {
  const shown = columnsThatFit(list, rows, width);
  if (shown === undefined) return renderBlocks(list, rows, width);
  const left = list.filter((column) => !shown.includes(column)).map(({ title }) => title);
  const others = shown.reduce(
    (sum, column) => sum + (column.wraps ? 0 : widthOf(column, rows)) + gap.length,
    -gap.length,
  );
  const table = renderAligned(shown, rows, width - others);
  if (left.length === 0) return table;
  const note = wrap(`Not shown for lack of room: ${left.join(", ")}.`, width).join("\n");
  return `${table}\n${paint("dim", note)}`;
}

/** Undefined when too many cannot be spared. */
function columnsThatFit<Row>(list: readonly Column<Row>[], rows: readonly Row[], width: number) {
  const least = (column: Column<Row>) => {
    const natural = widthOf(column, rows);
    return column.wraps ? Math.min(natural, narrowest) : natural;
  };
  let kept = [...list];
  const whole = () => kept.reduce((sum, column) => sum + least(column) + gap.length, -gap.length);
  while (whole() > width) {
    const spare = Math.max(...kept.map((column) => column.spare ?? 0));
    if (spare === 0) return undefined;
    kept = kept.filter((column) => column.spare !== spare);
  }
  return kept;
}

function widthOf<Row>({ title, cell }: Column<Row>, rows: readonly Row[]): number {
  return Math.max(title.length, ...rows.map((row) => cell(row).length));
}

function styled<Row>({ style, cell }: Column<Row>, row: Row, text = cell(row)): string {
  const chosen = style?.(row);
  return chosen ? paint(chosen, text) : text;
}

/** `room`: for the column that wraps. */
function renderAligned<Row>(list: readonly Column<Row>[], rows: readonly Row[], room: number): string {
  const none = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"];
  const inner = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  const table = new Table({
    head: list.map(({ title }) => paint("bold", title)),
    colAligns: list.map(({ align = "left" }) => align),
    chars: { ...Object.fromEntries([...none, ...inner].map((name) => [name, ""])), middle: gap },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  const cell = (column: Column<Row>, row: Row) => {
    if (!column.wraps) return styled(column, row);
    return wrap(column.cell(row), room)
      .map((text) => styled(column, row, text))
      .join("\n");
  };
  table.push(...rows.map((row) => list.map((column) => cell(column, row))));
  return table.toString().replaceAll(/ +$/gm, "");
}

function renderBlocks<Row>(list: readonly Column<Row>[], rows: readonly Row[], width: number): string {
  const titleWidth = Math.max(...list.map(({ title }) => title.length));
  const valueWidth = Math.max(width - titleWidth - gap.length, 10);
  const line = (column: Column<Row>, row: Row) => {
    const lines = wrap(column.cell(row), valueWidth).map((text) => styled(column, row, text));
    return lines.map((text, i) => `${(i === 0 ? column.title : "").padEnd(titleWidth)}${gap}${text}`.trimEnd());
  };
  const blocks = rows.map((row) => list.filter(({ cell }) => cell(row) !== "").flatMap((column) => line(column, row)));
  return blocks.map((lines) => lines.join("\n")).join("\n\n");
}

/**
 * Lines of at most `width`, broken at spaces; a longer word, such as a path, is broken after a dot or slash, else
 * anywhere, since it must be shown whole.
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    while (rest.length > width) {
      const joint = Math.max(...[".", "/"].map((sign) => rest.lastIndexOf(sign, width - 1))) + 1;
      const end = joint > 1 ? joint : width;
      lines.push(rest.slice(0, end));
      rest = rest.slice(end);
    }
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return [...lines, line];
}

export function renderMarkdown<Row>(list: readonly Column<Row>[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(list.map(({ title }) => title)),
    line(list.map(({ align }) => (align === "right" ? "--:" : ":--"))),
    ...rows.map((row) => line(list.map(({ cell }) => cell(row)))),
  ].join("\n");
}

/** RFC 4180, with the line ends of Unix. */
export function renderCsv(records: readonly Readonly<Record<string, unknown>>[]): string {
  const cell = (value: unknown) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const names = Object.keys(records[0] ?? {});
  return [names.join(","), ...records.map((record) => names.map((name) => cell(record[name])).join(","))].join("\n");
}

/** A title and lines of `name  value`, values wrapped and indented. */
export function renderSection(title: string, entries: readonly (readonly [string, string])[], width = columns()) {
  const nameWidth = Math.max(...entries.map(([name]) => name.length));
  const lines = entries.flatMap(([name, value]) =>
    value
      .split("\n")
      .flatMap((part) => wrap(part, Math.max(width - nameWidth - 2 * gap.length, 10)))
      .map((text, i) => `${gap}${(i === 0 ? name : "").padEnd(nameWidth)}${gap}${text}`),
  );
  return [paint("bold", title), ...lines].join("\n");
}
