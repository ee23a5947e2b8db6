/** `inspect`: what a checkpoint holds. */

import type { Command } from "commander";
import type { Checkpoint } from "../../state/checkpoint.js";
import { addSaidOptions, readableFiles, type SaidOptions, withCheckpoint } from "../checkpoint-arguments.js";
import { bytesOfTensors, scanCheckpoint, type TensorReport } from "../checkpoint-scan.js";
import { formatBytes } from "../format.js";
import { type OptionRow, optionRows, scheduleName } from "../option-rows.js";
import { type Column, renderSection, renderTable } from "../table.js";
import { print, printJson } from "../terminal.js";

interface Options extends SaidOptions {
  json?: true;
}

export function define(command: Command): void {
  addSaidOptions(command)
    .description("Shows the options, counts and tensors of a checkpoint, and whether every number is finite.")
    .argument("<file>", readableFiles)
    .action((file: string, options: Options) =>
      withCheckpoint(file, { ...options, numbered: true }, async (checkpoint) => {
        const tensors = await scanCheckpoint(checkpoint);
        if (options.json) printJson({ ...summary(checkpoint), tensors });
        else print(render(checkpoint, tensors));
      }),
    );
}

function summary(checkpoint: Checkpoint) {
  const { path, format, optimizer, learningRate, counters, parameters, metadata } = checkpoint;
  return { path, format, bytes: bytesOfTensors(checkpoint), optimizer, learningRate, counters, parameters, metadata };
}

const columns: readonly Column<TensorReport>[] = [
  { title: "tensor", cell: ({ name }) => name },
  { title: "type", cell: ({ dtype }) => dtype },
  { title: "shape", cell: ({ shape }) => `[${shape.join(", ")}]` },
  { title: "bytes", align: "right", cell: ({ bytes }) => formatBytes(bytes) },
  { title: "checksum", cell: ({ checksum }) => (checksum === null ? "none" : "right") },
  {
    title: "finite",
    cell: ({ nonFinite }) => (nonFinite === null ? "unknown" : nonFinite === 0 ? "all" : `${nonFinite} are not`),
    style: ({ nonFinite }) => (nonFinite ? "red" : undefined),
  },
];

const optionColumns: readonly Column<OptionRow>[] = [
  { title: "option", cell: ({ name }) => name },
  { title: "value", cell: ({ value }) => value, wraps: true },
];

function render(checkpoint: Checkpoint, tensors: readonly TensorReport[]): string {
  const { format, bytes, optimizer, learningRate, counters, parameters, metadata } = summary(checkpoint);
  const counts = Object.entries(counters).map(([name, count]) => `${name} ${count}`);
  const { isNumbered = false } = checkpoint;
  const flags = optimizer === null ? "--names and --config tell" : "--names tells";
  const entries: [string, string][] = [
    ["format", format],
    [
      "data",
      // Of Keras' variables without names nobody knows which are whose.
      `${formatBytes(bytes)} in ${tensors.length} tensors${parameters.length > 0 ? ` of ${parameters.length} parameters` : ""}`,
    ],
    ...(isNumbered ? [["names", `not said: ${flags} which tensor is which`] as [string, string]] : []),
    ["optimizer", optimizer === null ? "not said" : optimizer.class_name],
    [
      "learning rate",
      // A function cannot be written, and the options are not said then.
      learningRate !== null ? String(learningRate) : ((optimizer && scheduleName(optimizer)) ?? "not said"),
    ],
    ["counters", counts.join(", ") || "none"],
    ...Object.entries(metadata).map(([key, value]): [string, string] => [`metadata ${key}`, value]),
  ];
  const rows = optimizer === null ? [] : optionRows(optimizer);
  const options =
    rows.length > 0 ? [renderTable(optionColumns, rows)] : optimizer === null ? [] : ["Every option is the default."];
  return [renderSection(checkpoint.path, entries), ...options, renderTable(columns, tensors)].join("\n\n");
}
