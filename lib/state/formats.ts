/** The file formats, and which of them a file has. */

import { stat } from "node:fs/promises";
import type { Checkpoint } from "./checkpoint.js";
import { fileError } from "./errors.js";
import { openOwnFolder, readOwn } from "./own-format.js";
import { openSafetensors } from "./safetensors-reader.js";

export interface OpenOptions {
  /** For files without names: the parameters' names in the order of the file. */
  readonly names?: readonly string[] | undefined;
}

/** Opens a checkpoint of any format. @throws CHECKPOINT, FILE */
export async function openCheckpoint(path: string, _options: OpenOptions = {}): Promise<Checkpoint> {
  const info = await stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (info.isDirectory()) return openOwnFolder(path);
  const file = await openSafetensors(path);
  try {
    return readOwn(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}
