/** The two kinds of file that Keras saves: `.weights.h5`, and `.keras`, a zip with one of them and the configuration. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SerializedObject } from "../keras-object.js";
import { isRecord } from "../validate.js";
import type { ByteSource } from "./byte-file.js";
import { CheckpointError } from "./errors.js";
import { parseStrictJson } from "./strict-json.js";
import type { ZipEntry } from "./zip-reader.js";

export const weightsName = "model.weights.h5";
const configName = "config.json";
const largestConfig = 2 ** 26;
/** HDF5 files are read as a whole. */
const largestWeights = 2 ** 31 - 1;

/** Whether an archive is Keras' and not PyTorch's. */
export function isKerasArchive(entries: ReadonlyMap<string, ZipEntry>): boolean {
  return entries.has(weightsName) && entries.has(configName);
}

/** The serialized optimizer of a compiled model; null for a model that is not. @throws CHECKPOINT */
export async function readKerasConfig(
  path: string,
  entries: ReadonlyMap<string, ZipEntry>,
): Promise<SerializedObject | null> {
  const bytes = await (entries.get(configName) as ZipEntry).bytes(largestConfig);
  try {
    const config = parseStrictJson(bytes.toString("utf8"));
    const compiled = isRecord(config) ? config.compile_config : undefined;
    const optimizer = isRecord(compiled) ? compiled.optimizer : undefined;
    return isRecord(optimizer) && typeof optimizer.class_name === "string"
      ? (optimizer as unknown as SerializedObject)
      : null;
  } catch (error) {
    throw new CheckpointError(path, (error as Error).message, { key: configName }, { cause: error });
  }
}

/** Runs `use` with the weights of an archive as a file of their own. */
export async function withWeightsFile<T>(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry> | null,
  use: (path: string, size: number) => Promise<T>,
): Promise<T> {
  if (entries === null) return use(source.path, source.size);
  const entry = entries.get(weightsName) as ZipEntry;
  const folder = await mkdtemp(join(tmpdir(), "fused-adamw-keras-"));
  try {
    const path = join(folder, weightsName);
    await writeFile(path, await entry.bytes(largestWeights));
    return await use(path, entry.size);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
