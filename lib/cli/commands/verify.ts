/** `verify`: whether a checkpoint is whole. */

import type { Command } from "commander";
import { addSaidOptions, readableFiles, type SaidOptions, withCheckpoint } from "../checkpoint-arguments.js";
import { bytesOfTensors, scanCheckpoint } from "../checkpoint-scan.js";
import { formatBytes } from "../format.js";
import { print, printJson } from "../terminal.js";

interface Options extends SaidOptions {
  json?: true;
}

export function define(command: Command): void {
  addSaidOptions(command)
    .description("Reads every byte of a checkpoint. Ends with 0 when it is whole, with 1 when it is damaged.")
    .argument("<file>", readableFiles)
    .action((file: string, options: Options) => verify(file, options));
}

function verify(file: string, options: Options): Promise<void> {
  return withCheckpoint(file, { ...options, numbered: true }, async (checkpoint) => {
    const tensors = await scanCheckpoint(checkpoint);
    const bytes = bytesOfTensors(checkpoint);
    const unchecked = tensors.filter(({ checksum }) => checksum === null).length;
    const { path, format } = checkpoint;
    if (options.json) return printJson({ path, format, whole: true, tensors: tensors.length, unchecked, bytes });
    const rest = unchecked > 0 ? `; ${unchecked} have no checksum` : "";
    print(`${path} is whole: ${format}, ${tensors.length} tensors, ${formatBytes(bytes)}${rest}`);
  });
}
