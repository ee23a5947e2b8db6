/** `convert`: a checkpoint in another format or under other names. */

import type { Command } from "commander";
import { formatOf, shardedFormats, type WritableFormat, writableFormats } from "../../state/format-names.js";
import { writeCheckpoint } from "../../state/formats.js";
import { renameCheckpoint } from "../../state/rename.js";
import {
  addSaidOptions,
  collectRename,
  readableFiles,
  type SaidOptions,
  withCheckpoint,
} from "../checkpoint-arguments.js";
import { scanCheckpoint } from "../checkpoint-scan.js";
import { wrongValue } from "../exit.js";
import { formatBytes } from "../format.js";
import { progressLine } from "../progress.js";
import { print, printJson, warn } from "../terminal.js";

interface Options extends SaidOptions {
  rename?: Record<string, string>;
  format?: string;
  shardBytes?: string;
  json?: true;
}

export function define(command: Command): void {
  addSaidOptions(command)
    .description("Checks a checkpoint and writes it again, in another format or under other names.")
    .argument("<in>", readableFiles)
    .argument("<out>", "where to write; .pt is PyTorch's, .json TensorFlow.js', .keras Keras', else safetensors")
    .option("--format <format>", `${writableFormats.join(" or ")}, whatever the extension`)
    .option(
      "--rename <old=new>",
      "another name for a parameter; nothing is transposed; may be given many times",
      collectRename,
    )
    .option("--shard-bytes <bytes>", "write a folder of files of about this size")
    .addHelpText(
      "after",
      "\nExample:\n  fused-adamw convert optimizer.pt training.safetensors --rename module.fc.weight=fc.weight",
    )
    .action((input: string, output: string, options: Options) => convert(input, output, options));
}

function convert(input: string, output: string, options: Options): Promise<void> {
  const { rename = {}, json } = options;
  const format = parseFormat(options.format) ?? formatOf(output);
  const shardBytes = parseBytes(options.shardBytes);
  if (shardBytes !== undefined && !shardedFormats.includes(format)) {
    throw wrongValue("--shard-bytes", `the format ${shardedFormats.join(" or ")}`, format);
  }
  return withCheckpoint(input, options, async (opened) => {
    await scanCheckpoint(opened);
    const line = progressLine("writing");
    const checkpoint = renameCheckpoint(opened, rename);
    const progress = line.show;
    const report = await writeCheckpoint(output, checkpoint, { format, shardBytes, progress }).finally(() =>
      line.end(),
    );
    const { bytes, tensors, leftOut } = report;
    if (json) return printJson({ input, output, from: opened.format, to: format, tensors, bytes, leftOut });
    for (const what of leftOut) warn(what);
    const { size } = checkpoint.tensors;
    const count = tensors === size ? `${tensors}` : `${tensors} of ${size}`;
    print(`${output}: ${count} tensors, ${formatBytes(bytes)}, ${opened.format} → ${format}`);
  });
}

function parseFormat(text: string | undefined): WritableFormat | undefined {
  if (text === undefined) return undefined;
  const found = writableFormats.find((format) => format === text);
  if (!found) throw wrongValue("--format", writableFormats.join(" or "), text);
  return found;
}

function parseBytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw wrongValue("--shard-bytes", "an integer ≥ 1", text);
  return bytes;
}
