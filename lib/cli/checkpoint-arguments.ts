/** Opening the checkpoints that the command line names. */

import type { Checkpoint } from "../state/checkpoint.js";
import { openCheckpoint } from "../state/formats.js";
import { wrongValue } from "./exit.js";

export const readableFiles =
  "a checkpoint of this package (a file, or a folder of shards), PyTorch's state_dict, Keras' model, TensorFlow.js' model.json";
export const namesSyntax = "the parameters' names in the order of the file, separated by commas";

/** Runs `use` with an open checkpoint and closes it. */
export async function withCheckpoint<T>(
  path: string,
  names: string | undefined,
  use: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(path, { names: names?.split(",") });
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** "old=new", again and again. */
export function collectRename(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [from = "", to = "", ...more] = text.split("=");
  if (from === "" || to === "" || more.length > 0) throw wrongValue("--rename", "old=new", text);
  return { ...before, [from]: to };
}
