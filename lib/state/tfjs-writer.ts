/**
 * Optimizer state for TensorFlow.js: `tf.io.decodeWeights` reads it, and `setWeights` of `tf.train.adam` goes on with
 * it. In the model.json of a saved LayersModel it takes the place of the optimizer's weights, for `tf.loadLayersModel`.
 */

import { randomBytes } from "node:crypto";
import { readdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isRecord } from "../validate.js";
import { AtomicFile } from "./atomic-file.js";
import { ByteSink, type Range } from "./byte-sink.js";
import type { Checkpoint, Contents, Tensor, TransferOptions } from "./checkpoint.js";
import { Checksum } from "./checksum.js";
import { CheckpointError, checkSignal, fileError, isMissing } from "./errors.js";
import { makeFolder } from "./folders.js";
import { readJsonFile } from "./json-file.js";
import { type Role, stepName, tensorName, valueName } from "./names.js";
import type { WriteOptions } from "./safetensors-writer.js";
import { generatedBy, manifestChecksum, notesKey, ownShardEnd, parseManifest, tfjsDtypes } from "./tfjs-manifest.js";
import { manifestPath, openShard, openWeights, slotEnds } from "./tfjs-reader.js";
import { adamConfig, stateWeights, valueWeights, type Weight } from "./tfjs-weights.js";

export interface TfjsWriteOptions extends WriteOptions {
  /** Of each shard. @default 2^30, which every ArrayBuffer can hold */
  shardBytes?: number | undefined;
}

const dtypeNames = new Map(Object.entries(tfjsDtypes).map(([theirs, ours]) => [ours, theirs]));
/** A shard begins where an element does, of whatever type. */
const shardAlignment = 8;
const defaultShardBytes = 2 ** 30;

/**
 * New shards beside the old ones, then model.json in one rename: before it the folder is what it
 * was, after it the new state.
 *
 * @throws INVALID_ARGUMENT for options and state that TensorFlow.js' Adam does not have, CHECKPOINT for a model that
 *   does not fit, FILE, ABORTED; what was at `path` is whole then
 */
export async function writeTfjs(path: string, checkpoint: Checkpoint, options: TfjsWriteOptions): Promise<Contents> {
  const file = manifestPath(path);
  const config = adamConfig(checkpoint);
  const model = await openModel(file);
  try {
    const values = valueWeights(file, checkpoint, model?.weights);
    const weights = [...values, ...(await stateWeights(checkpoint, model?.weights))];
    const json = model?.json ?? {};
    const bytes = await write(file, weights, { ...options, json, config, user: checkpoint.metadata });
    const roles = [stepName, ...Object.keys(slotEnds), valueName] as Role[];
    const written = checkpoint.parameters.flatMap(({ name }) => roles.map((role) => tensorName(name, role)));
    return { bytes, written: new Set(written) };
  } catch (error) {
    throw fileError(file, error);
  } finally {
    await model?.close();
  }
}

interface Model {
  readonly json: Record<string, unknown>;
  /** The model's own. */
  readonly weights: readonly Tensor[];
  close(): Promise<void>;
}

/** The model that a model.json holds; null where there is no file, or one with nothing but weights. */
async function openModel(file: string): Promise<Model | null> {
  const json = await readJsonFile(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (json === null) return null;
  const manifest = parseManifest(file, json);
  if (!isRecord(json.modelTopology)) return null;
  const { optimizer_config: optimizer } = isRecord(json.trainingConfig) ? json.trainingConfig : {};
  if (!isRecord(optimizer) || optimizer.class_name !== "Adam") {
    const problem = "the model in it was saved without an Adam: includeOptimizer saves it";
    throw new CheckpointError(file, problem, { key: "optimizer_config" });
  }
  const { tensors, close } = await openWeights(file, manifest, (shard) => openShard(file, shard));
  return { json, weights: tensors.filter(({ group }) => group !== "optimizer"), close };
}

/** tf.io.decodeWeights gives a table of names. */
function checkNames(file: string, weights: readonly Weight[]): void {
  const names = new Set<string>();
  for (const { name } of weights) {
    if (names.has(name)) throw new CheckpointError(file, "two weights would have this name", { key: name });
    names.add(name);
  }
}

interface Described extends TfjsWriteOptions {
  readonly json: Record<string, unknown>;
  readonly config: Record<string, number>;
  readonly user: Readonly<Record<string, string>>;
}

/** Bytes written in all. */
async function write(file: string, weights: readonly Weight[], contents: Described): Promise<number> {
  const { json, config, user, beforeRename, shardBytes = defaultShardBytes, ...transfer } = contents;
  const described = weights.map(({ name, group, tensor: { dtype, shape } }) => {
    const type = dtypeNames.get(dtype);
    if (type === undefined) throw new CheckpointError(file, `the type ${dtype} is not TensorFlow.js'`, { key: name });
    return { name, shape, dtype: type, ...(group && { group }) };
  });
  checkNames(file, weights);
  const shards = split(weights, Math.max(1, Math.floor(shardBytes / shardAlignment)) * shardAlignment);
  const stem = `${basename(file).replace(/\.json$/, "")}-${randomBytes(8).toString("hex")}`;
  const names = shards.map((_, i) => `${stem}-shard${i + 1}of${shards.length}.bin`);
  const folder = dirname(file);
  let isNamed = false;
  let isNew = false;
  try {
    isNew = makeFolder(folder);
    const checksums = await writeShards(folder, names, shards, weights, transfer);
    const { trainingConfig } = json;
    const filled: Record<string, unknown> = {
      ...json,
      generatedBy,
      trainingConfig: {
        ...(isRecord(trainingConfig) && trainingConfig),
        optimizer_config: { class_name: "Adam", config },
      },
      weightsManifest: [{ paths: names, weights: described }],
      [notesKey]: { checksum_algorithm: "crc32", checksums, user },
    };
    const notes = { ...(filled[notesKey] as object), checksum: manifestChecksum(filled) };
    const text = Buffer.from(JSON.stringify({ ...filled, [notesKey]: notes }));
    await AtomicFile.write(
      file,
      (target) => target.write(text, 0),
      async () => {
        await beforeRename?.();
        isNamed = true;
      },
    );
    await removeShards(file, (name) => !names.includes(name));
    return weights.reduce((sum, { tensor }) => sum + tensor.byteLength, text.length);
  } catch (error) {
    // From the rename on a file may name them, whatever failed then.
    if (!isNamed) await removeShards(file, (name) => names.includes(name));
    if (isNew) await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

type Piece = { readonly weight: Weight } & Required<Range>;

/** Which bytes of which weights each shard holds; one shard at least. */
function split(weights: readonly Weight[], shardBytes: number): Piece[][] {
  const shards: Piece[][] = [[]];
  let room = shardBytes;
  for (const weight of weights) {
    for (let start = 0; start < weight.tensor.byteLength; ) {
      if (room === 0) {
        shards.push([]);
        room = shardBytes;
      }
      const end = Math.min(weight.tensor.byteLength, start + room);
      shards.at(-1)?.push({ weight, start, end });
      room -= end - start;
      start = end;
    }
  }
  return shards;
}

/** The checksums of the weights. */
async function writeShards(
  folder: string,
  names: readonly string[],
  shards: readonly (readonly Piece[])[],
  weights: readonly Weight[],
  { signal, progress }: TransferOptions,
): Promise<Record<string, string>> {
  const checksums = new Map(weights.map(({ name }) => [name, new Checksum()]));
  const total = weights.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
  let done = 0;
  for (const [i, shard] of shards.entries()) {
    await AtomicFile.write(join(folder, names[i] as string), async (file) => {
      const sink = new ByteSink(file, 0);
      for (const { weight, ...range } of shard) {
        const onPiece = async (piece: Uint8Array) => {
          checkSignal(signal, "Saving");
          await checksums.get(weight.name)?.update(piece);
          done += piece.length;
          progress?.({ done, total });
        };
        await sink.append(weight.tensor, onPiece, range);
      }
      await sink.flush();
    });
  }
  for (const { name, tensor } of weights) {
    if (tensor.checksum === undefined || tensor.checksum === checksums.get(name)?.text) continue;
    throw new CheckpointError(folder, "its checksum is wrong: the data is damaged", { key: name });
  }
  return Object.fromEntries([...checksums].map(([name, { text }]) => [name, text]));
}

/** Of this package and of this model.json only. */
async function removeShards(file: string, chosen: (name: string) => boolean): Promise<void> {
  const folder = dirname(file);
  const stem = basename(file).replace(/\.json$/, "");
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(stem) || !ownShardEnd.test(name.slice(stem.length)) || !chosen(name)) continue;
    await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}
