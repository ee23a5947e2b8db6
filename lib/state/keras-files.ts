/**
 * The two kinds of file that Keras saves: `.weights.h5`, and `.keras`, a zip with one of them and the configuration.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "../errors.js";
import { adamAsAdamW } from "../keras-adam.js";
import type { SerializedObject } from "../keras-object.js";
import { isRecord } from "../validate.js";
import { ByteMemory, type ByteSource } from "./byte-file.js";
import { CheckpointError } from "./errors.js";
import { checkH5Length } from "./h5-length.js";
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

/**
 * The optimizer of a compiled model, as AdamW; null for a model that is not.
 *
 * @throws CHECKPOINT for other optimizers
 */
export async function readKerasConfig(
  path: string,
  entries: ReadonlyMap<string, ZipEntry>,
): Promise<SerializedObject | null> {
  const bytes = await (entries.get(configName) as ZipEntry).bytes(largestConfig);
  try {
    const config = parseStrictJson(bytes.toString("utf8"));
    const compiled = isRecord(config) ? config.compile_config : undefined;
    const optimizer = isRecord(compiled) ? compiled.optimizer : undefined;
    if (!isRecord(optimizer) || typeof optimizer.class_name !== "string") return null;
    return asAdamW(optimizer, (problem) => new CheckpointError(path, problem, { key: configName }));
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(path, (error as Error).message, { key: configName }, { cause: error });
  }
}

/** A serialized optimizer of Keras' as an AdamW, inside its loss scaler too; `fail` makes the error for any other. */
export function asAdamW(optimizer: Record<string, unknown>, fail: (problem: string) => Error): SerializedObject {
  const { class_name, config } = optimizer;
  if (!["AdamW", "Adam", "LossScaleOptimizer"].includes(class_name as string)) {
    throw fail(`its optimizer is ${describe(class_name)}, where AdamW or Adam is expected`);
  }
  if (!isRecord(config)) throw fail(`its optimizer ${class_name} has no configuration`);
  const envelope = optimizer as unknown as SerializedObject;
  if (class_name === "LossScaleOptimizer") {
    const inner = config.inner_optimizer;
    if (!isRecord(inner)) throw fail("its LossScaleOptimizer has no inner_optimizer");
    return { ...envelope, config: { ...config, inner_optimizer: asAdamW(inner, fail) } };
  }
  return adamAsAdamW(envelope) as SerializedObject;
}

/** Runs `use` with the weights of an archive as a file of their own. @throws CHECKPOINT for a file that was cut */
export async function withWeightsFile<T>(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry> | null,
  use: (path: string, size: number) => Promise<T>,
): Promise<T> {
  if (entries === null) {
    await checkH5Length(source);
    return use(source.path, source.size);
  }
  const entry = entries.get(weightsName) as ZipEntry;
  const folder = await mkdtemp(join(tmpdir(), "fused-adamw-keras-"));
  try {
    const path = join(folder, weightsName);
    const bytes = await entry.bytes(largestWeights);
    await checkH5Length(new ByteMemory(source.path, bytes));
    await writeFile(path, bytes);
    return await use(path, entry.size);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
