/** `plan`: the memory that an optimizer will take. */

import { availableMemory } from "node:process";
import type { Command } from "commander";
import { AdamW } from "../../adamw.js";
import type { OptimizerPlan } from "../../plan.js";
import { CommandError } from "../exit.js";
import { counted, formatBytes, formatCount, significant } from "../format.js";
import {
  defaultOptions,
  type OptionSet,
  optionSetOfFile,
  optionSyntax,
  parseOptionSet,
  readOptionSet,
} from "../option-sets.js";
import { renderSection, renderTable, wrap } from "../table.js";
import { columns, print, printJson } from "../terminal.js";
import { parseWork, type Work, workSyntax } from "../work.js";

interface Options {
  options?: string;
  config?: string;
  json?: true;
}

export function define(command: Command): void {
  command
    .description("Says how many bytes parameters, gradients and state take, without allocating any of them.")
    .argument("<work>", workSyntax)
    .option("--options <list>", `${optionSyntax} (default: those of a checkpoint)`)
    .option("--config <file>", "a JSON configuration as Keras or getConfig() writes it")
    .addHelpText("after", "\nExample:\n  fused-adamw plan llama-3.1-8b --options amsgrad,useEma")
    .action((work: string, options: Options) => plan(parseWork(work), options));
}

function plan(work: Work, options: Options): void {
  const set = chosen(work, options);
  const memory = AdamW.plan(set.options, work.parameters);
  const free = availableMemory();
  if (options.json)
    printJson({ work: work.label, tensors: work.parameters.length, options: set.label, ...memory, free });
  else print(render(work, set, memory, free));
}

function chosen({ label, optimizer }: Work, { options, config }: Options): OptionSet {
  if (options !== undefined && config !== undefined)
    throw new CommandError("usage", "Give --options or --config, not both");
  if (config !== undefined) return readOptionSet(config);
  if (options !== undefined) return parseOptionSet(options);
  return optimizer === undefined ? defaultOptions : optionSetOfFile(optimizer, label);
}

function render(work: Work, set: OptionSet, memory: OptimizerPlan, free: number): string {
  const rows: [string, number][] = [
    ["parameters", memory.values],
    ["gradients", memory.gradients],
    ...Object.entries(memory.slots),
    ["state", memory.state],
    ["all", memory.total],
  ];
  const isSum = ([name]: [string, number]) => name === "state" || name === "all";
  const table = renderTable(
    [
      { title: "memory", cell: ([name]) => name },
      { title: "bytes/parameter", align: "right", cell: ([, bytes]) => significant(bytes / memory.parameters) },
      {
        title: "bytes",
        align: "right",
        cell: ([, bytes]) => formatBytes(bytes),
        style: (row) => (isSum(row) ? "green" : undefined),
      },
    ],
    rows,
  );
  const fits = memory.total <= free ? "fit into" : "do not fit into";
  const [rounded, exact] = [formatCount(memory.parameters), memory.parameters.toLocaleString("en")];
  const tensors = counted(work.parameters.length, "tensor");
  const header = renderSection("plan", [
    ["work", work.label],
    ["parameters", `${rounded === exact ? exact : `${rounded} (${exact})`} in ${tensors}`],
    ["options", set.label],
  ]);
  const verdict = `${formatBytes(memory.total)} ${fits} the ${formatBytes(free)} that this machine has free.`;
  return [header, table, wrap(verdict, columns()).join("\n")].join("\n\n");
}
