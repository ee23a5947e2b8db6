/** `inspect`: what a checkpoint holds. */

import type { Command } from "commander";
import type { Checkpoint } from "../../state/checkpoint.js";
import { namesSyntax, readableFiles, withCheckpoint } from "../checkpoint-arguments.js";
import { bytesOfTensors, scanCheckpoint, type TensorReport } from "../checkpoint-scan.js";
import { formatBytes } from "../format.js";
import { type Column, renderSection, renderTable } from "../table.js";
import { print, printJson } from "../terminal.js";

interface Options {
  names?: string;
  json?: true;
}

export function define(command: Command): void {
  command
    .description("Shows the options, counts and tensors of a checkpoint, and whether every number is finite.")
    .argument("<file>", readableFiles)
    .option("--names <list>", namesSyntax)
    .action((file: string, { names, json }: Options) =>
      withCheckpoint(file, names, async (checkpoint) => {
        const tensors = await scanCheckpoint(checkpoint);
        if (json) printJson({ ...summary(checkpoint), tensors });
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

function render(checkpoint: Checkpoint, tensors: readonly TensorReport[]): string {
  const { format, bytes, optimizer, learningRate, counters, parameters, metadata } = summary(checkpoint);
  const entries: [string, string][] = [
    ["format", format],
    ["data", `${formatBytes(bytes)} in ${tensors.length} tensors of ${parameters.length} parameters`],
    ["optimizer", optimizer === null ? "not said" : `${optimizer.class_name} ${JSON.stringify(optimizer.config)}`],
    ["learning rate", learningRate === null ? "not a number" : String(learningRate)],
    ["counters", JSON.stringify(counters)],
    ...Object.entries(metadata).map(([key, value]): [string, string] => [`metadata ${key}`, value]),
  ];
  return `${renderSection(checkpoint.path, entries)}\n\n${renderTable(columns, tensors)}`;
}
