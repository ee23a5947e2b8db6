/** Opening the checkpoints that the command line names. */

import { statSync } from "node:fs";
import type { Command } from "commander";
import { optionsToConfig } from "../config.js";
import { kerasOptimizers } from "../keras-object.js";
import { type ResolvedOptions, resolveOptions } from "../options.js";
import type { Checkpoint } from "../state/checkpoint.js";
import { CheckpointFolder } from "../state/checkpoint-folder.js";
import { UnsaidError, WronglySaidError } from "../state/errors.js";
import { openCheckpoint } from "../state/formats.js";
import { CommandError, wrongValue } from "./exit.js";
import { readOptionSet } from "./option-sets.js";
import { note } from "./terminal.js";

export const readableFiles =
  "a checkpoint of this package (a file, a folder of shards or its index, or a CheckpointManager's folder, of which the newest), PyTorch's state_dict, Keras' model, TensorFlow.js' model.json";

/** What the command line says of a file that does not say it itself. */
export interface SaidOptions {
  names?: string;
  config?: string;
}

export function addSaidOptions(command: Command): Command {
  return command
    .option("--names <list>", "the parameters' names in the order of the file, separated by commas")
    .option("--config <file>", "the options of a file without any: a JSON configuration, as for plan");
}

const flags = { names: "give --names a,b,c, in the order of the file", options: "give --config FILE" } as const;

/** @throws CommandError for an empty name or one that is there twice */
function parseNames(text: string | undefined): string[] | undefined {
  const names = text?.split(",");
  if (names?.includes("") || new Set(names).size !== (names?.length ?? 0)) {
    throw wrongValue("--names", "different names, such as a,b,c,", String(text));
  }
  return names;
}

/** What opening a file failed at, as the command line's mistake where it is one. */
function asMistake(error: unknown): unknown {
  if (error instanceof UnsaidError) {
    return new CommandError("usage", `${error.problem}: ${flags[error.unsaid]}`, { cause: error });
  }
  return error instanceof WronglySaidError ? new CommandError("usage", error.message, { cause: error }) : error;
}

/** The checkpoint that a path means: of a manager's folder the newest. @throws CHECKPOINT where that is gone */
async function located(path: string): Promise<string> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  const folder = new CheckpointFolder(path);
  const { names, gone } = await folder.inOrder();
  const [newest] = names;
  if (gone) throw gone;
  if (newest === undefined) return path;
  note(`The newest checkpoint in ${path} is ${newest}`);
  return folder.pathOf(newest);
}

/**
 * Runs `use` with an open checkpoint, of a manager's folder the newest, and closes it. With `numbered`, of a file that
 * says no names and of which the command line says nothing numbers will do.
 */
export async function withCheckpoint<T>(
  path: string,
  { names, config, numbered = false }: SaidOptions & { readonly numbered?: boolean },
  use: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> {
  const list = parseNames(names);
  const options = config === undefined ? undefined : resolveOptions(readOptionSet(config).options);
  const layout = list && options && { ...options, names: list };
  const ways = { names: list, layout, numbered: numbered && !list && !options };
  const checkpoint = await openCheckpoint(await located(path), ways).catch((error: unknown) => {
    throw asMistake(error);
  });
  try {
    return await use(options ? withOptions(checkpoint, options) : checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** The checkpoint as one that says its options. @throws CommandError where it does already, or says the opposite */
function withOptions(checkpoint: Checkpoint, options: ResolvedOptions): Checkpoint {
  const { path, optimizer, hasLearningRate } = checkpoint;
  if (optimizer !== null) {
    throw new CommandError("usage", `${path} says its options itself: leave out --config`);
  }
  const isNumber = typeof options.learningRate === "number";
  if (hasLearningRate !== undefined && hasLearningRate !== isNumber) {
    const [here, there] = isNumber ? ["a number", "a schedule"] : ["a schedule", "a number"];
    throw new CommandError("usage", `The learning rate is ${here} in --config and ${there} in ${path}`);
  }
  const serialized = {
    module: kerasOptimizers,
    class_name: "AdamW",
    config: optionsToConfig(options),
    registered_name: null,
  };
  return { ...checkpoint, optimizer: serialized };
}

/** "old=new", again and again. */
export function collectRename(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [from = "", to = "", ...more] = text.split("=");
  if (from === "" || to === "" || more.length > 0) throw wrongValue("--rename", "old=new", text);
  return { ...before, [from]: to };
}
