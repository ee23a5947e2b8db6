/** Our own checkpoints: one safetensors file, or a folder of them with an index as Hugging Face's libraries keep it. */

import { randomBytes } from "node:crypto";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { AtomicFile } from "./atomic-file.js";
import type { Checkpoint, Contents, Tensor, TransferOptions } from "./checkpoint.js";
import { CheckpointError, fileError } from "./errors.js";
import { makeFolder } from "./folders.js";
import { formatMetadata, isOwn, type OwnMetadata, ownFormat, parseMetadata } from "./metadata.js";
import type { SafetensorsFile } from "./safetensors-reader.js";
import { type WriteOptions, writeSafetensors } from "./safetensors-writer.js";

export const indexName = "optimizer.safetensors.index.json";
export const shardName = /^optimizer-[0-9a-f]{16}-\d{5}-of-\d{5}\.safetensors$/;

export interface OwnWriteOptions extends WriteOptions {
  /** Write a folder of files of about this many bytes each. */
  shardBytes?: number | undefined;
}

/** @throws FILE, ABORTED; what was at `path` is whole then */
export async function writeOwn(path: string, checkpoint: Checkpoint, options: OwnWriteOptions): Promise<Contents> {
  const tensors = [...checkpoint.tensors.values()];
  const { shardBytes, ...transfer } = options;
  const written = new Set(checkpoint.tensors.keys());
  if (shardBytes !== undefined) {
    return { bytes: await writeShards(path, checkpoint, tensors, shardBytes, transfer), written };
  }
  const id = randomBytes(8).toString("hex");
  const { bytes } = await writeSafetensors(
    path,
    tensors,
    (checksums) => formatMetadata(id, checkpoint, tensors, checksums),
    transfer,
  );
  return { bytes, written };
}

/** Tensors in order, each group at most `shardBytes` unless one tensor alone is larger. */
function split(tensors: readonly Tensor[], shardBytes: number): Tensor[][] {
  const groups: Tensor[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    if (bytes + tensor.byteLength > shardBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(tensor);
    bytes += tensor.byteLength;
  }
  return groups;
}

/**
 * Bytes written in all. New files beside the old ones, then the index in one rename: before it the folder is the old
 * checkpoint, after it the new one.
 */
async function writeShards(
  folder: string,
  checkpoint: Checkpoint,
  tensors: readonly Tensor[],
  shardBytes: number,
  { progress, signal }: TransferOptions,
): Promise<number> {
  const id = randomBytes(8).toString("hex");
  const groups = split(tensors, shardBytes);
  const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const number = (n: number) => String(n).padStart(5, "0");
  const names = groups.map((_, i) => `optimizer-${id}-${number(i + 1)}-of-${number(groups.length)}.safetensors`);
  const weightMap: [string, string][] = [];
  const checksums: Record<string, string> = {};
  let bytes = 0;
  let done = 0;
  let isNamed = false;
  let isNew = false;
  try {
    isNew = makeFolder(folder);
    for (const [i, group] of groups.entries()) {
      const before = done;
      const written = await writeSafetensors(
        join(folder, names[i] as string),
        group,
        (sums) => formatMetadata(id, checkpoint, group, sums),
        { signal, progress: progress && ((part) => progress({ done: before + part.done, total })) },
      );
      bytes += written.bytes;
      done += group.reduce((sum, { byteLength }) => sum + byteLength, 0);
      Object.assign(checksums, written.checksums);
      weightMap.push(...group.map(({ name }): [string, string] => [name, names[i] as string]));
    }
    const metadata = { total_size: total, ...formatMetadata(id, checkpoint, tensors, checksums) };
    const index = Buffer.from(JSON.stringify({ metadata, weight_map: Object.fromEntries(weightMap) }, null, 2));
    await AtomicFile.write(
      join(folder, indexName),
      (file) => file.write(index, 0),
      async () => {
        isNamed = true;
      },
    );
    bytes += index.length;
  } catch (error) {
    // From the rename on an index may name them, whatever failed then.
    if (!isNamed) await removeShards(folder, (name) => names.includes(name));
    if (isNew) await rmdir(folder).catch(() => undefined);
    throw fileError(folder, error);
  }
  await removeShards(folder, (name) => !names.includes(name));
  return bytes;
}

async function removeShards(folder: string, chosen: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (shardName.test(name) && chosen(name)) await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** The checkpoint in a file of ours. @throws CHECKPOINT */
export function readOwn(file: SafetensorsFile): Checkpoint {
  if (!isOwn(file.metadata)) throw new CheckpointError(file.path, "not written by fused-adamw", { key: "format" });
  const metadata = parseMetadata(file.path, file.metadata, file.tensors);
  return checkpointOf(file.path, metadata, file.tensors, () => file.close());
}

/**
 * A checkpoint of ours at `path`, whose metadata says this of its tensors.
 *
 * @throws CHECKPOINT where a checksum is missing
 */
export function checkpointOf(
  path: string,
  { checksums, id: _, ...description }: OwnMetadata,
  tensors: readonly Tensor[],
  close: () => Promise<void>,
): Checkpoint {
  const checked = tensors.map((tensor): [string, Tensor] => {
    const checksum = checksums.get(tensor.name);
    if (checksum === undefined) throw new CheckpointError(path, "it has no checksum", { key: tensor.name });
    return [tensor.name, { ...tensor, checksum }];
  });
  return { path, format: ownFormat, ...description, tensors: new Map(checked), close };
}
