/** `compare`: did it become slower? */

import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { isRecord } from "../../validate.js";
import { emulatorNote, isEmulated } from "../bench/emulated.js";
import { type Judgement, judgePairs, judgeRuns, machineDifferences } from "../bench/judge.js";
import type { BenchDocument } from "../bench/result.js";
import { CommandError, exitCodes } from "../exit.js";
import { significant } from "../format.js";
import { parseShare } from "../numbers.js";
import { type Column, renderMarkdown, renderTable, wrap } from "../table.js";
import { columns as columnsOfTerminal, isTerminal, print, printJson, warn } from "../terminal.js";

interface Flags {
  failOver: string;
  format?: "table" | "markdown";
  json?: true;
}

export function define(command: Command): void {
  command
    .description(
      "Judges a run of `bench --against`, pair by pair, or two runs of `bench`, as fractions of their own in-place streams; ends with 1 when something became slower.",
    )
    .argument("<file>", "what `bench --format json` wrote: the run with pairs, or the run before")
    .argument("[after]", "the run after")
    .option("--fail-over <share>", "a slowdown up to this is no failure", "5%")
    .addOption(new Option("--format <which>", "table in a terminal, else markdown").choices(["table", "markdown"]))
    .addHelpText("after", "\nExample:\n  fused-adamw compare pairs.json --fail-over 3%")
    .action(compare);
}

function compare(file: string, after: string | undefined, flags: Flags): void {
  if (flags.json && flags.format) throw new CommandError("usage", `Give --json or --format ${flags.format}, not both`);
  const allowed = parseShare(flags.failOver, "--fail-over");
  const before = readDocument(file);
  const judgements = after === undefined ? judgePairs(before, allowed) : judgeTwo(before, readDocument(after), allowed);
  if (judgements.length === 0) {
    const hint =
      after === undefined
        ? `${file} has no pairs, which bench --against makes; give the run after as a second file`
        : "the runs share no row";
    throw new CommandError("usage", `There is nothing to compare: ${hint}`);
  }
  const regressed = judgements.filter(({ regression }) => regression).length;
  const basis = after === undefined ? "alternating rounds of one run" : "fractions of each run's own in-place stream";
  if (flags.json) printJson({ basis, failOver: allowed, regressed, judgements });
  else print(render(judgements, { basis, allowed, regressed, format: flags.format }));
  if (regressed > 0) process.exitCode = exitCodes.failed;
}

function judgeTwo(before: BenchDocument, after: BenchDocument, allowed: number): Judgement[] {
  const differences = machineDifferences(before, after);
  if (differences.length > 0) {
    warn(
      `the runs are of different machines; only fractions of their in-place streams are compared\n  ${differences.join("\n  ")}`,
    );
  }
  return judgeRuns(before, after, allowed);
}

function readDocument(path: string): BenchDocument {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isRecord(json) && json.kind === "fused-adamw bench" && Array.isArray(json.rows)) {
    const document = withLaterFields(json as unknown as BenchDocument);
    if (!document.rows.some(isEmulated)) return document;
    throw new CommandError("usage", `${path} was not measured on a GPU: ${emulatorNote}`);
  }
  throw new CommandError("usage", `${path} is not what \`bench --format json\` writes`);
}

/** Runs of versions that measured no GPUs can still be compared. */
function withLaterFields(document: BenchDocument): BenchDocument {
  const rows = document.rows.map((row) => ({
    ...row,
    model: row.model ?? "",
    graph: row.graph ?? false,
    launches: row.launches ?? [],
  }));
  return { ...document, gpus: document.gpus ?? [], rows };
}

const percent = (share: number) => `${share > 0 ? "+" : ""}${significant(100 * share, 2)} %`;

const columns: readonly Column<Judgement>[] = [
  { title: "work", cell: ({ work }) => work },
  { title: "device", cell: ({ device }) => device },
  { title: "threads", align: "right", cell: ({ threads }) => String(threads ?? "–") },
  { title: "options", cell: ({ options }) => options },
  { title: "time", align: "right", cell: ({ change }) => percent(change.estimate) },
  { title: "95 % interval", align: "right", cell: ({ change }) => `${percent(change.low)} to ${percent(change.high)}` },
  {
    title: "verdict",
    cell: ({ verdict, regression }) => (regression ? "SLOWER" : verdict),
    style: ({ verdict, regression }) => (regression ? "red" : verdict === "faster" ? "green" : undefined),
  },
];

interface Summary {
  readonly basis: string;
  readonly allowed: number;
  readonly regressed: number;
  readonly format: Flags["format"];
}

function render(judgements: readonly Judgement[], { basis, allowed, regressed, format }: Summary): string {
  const asTable = (format ?? (isTerminal() ? "table" : "markdown")) === "table";
  const text = asTable ? renderTable(columns, judgements) : renderMarkdown(columns, judgements);
  const count = `${regressed} of ${judgements.length}`;
  const limit = `${significant(100 * allowed, 2)} %`;
  const verdict =
    regressed === 0 ? `No slowdown beyond ${limit} was seen.` : `${count} became slower by more than ${limit}.`;
  const unsure = judgements.filter(({ regression, change }) => !regression && change.high > allowed).length;
  const doubt = unsure === 0 ? "" : ` ${unsure} of ${judgements.length} are too uncertain to rule one out.`;
  const end = `${verdict}${doubt} Compared: ${basis}.`;
  return `${text}\n\n${asTable ? wrap(end, columnsOfTerminal()).join("\n") : end}`;
}
