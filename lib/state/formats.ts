/** The file formats, and which of them a file has. */

import { readdir, stat } from "node:fs/promises";
import { AdamWError } from "../errors.js";
import { ByteFile, readBytes } from "./byte-file.js";
import type { Checkpoint, Contents } from "./checkpoint.js";
import { CheckpointFolder } from "./checkpoint-folder.js";
import { CheckpointError, fileError } from "./errors.js";
import { foreignKind } from "./foreign-files.js";
import { openForeignSafetensors } from "./foreign-safetensors.js";
import { formatOf, type WritableFormat } from "./format-names.js";
import { h5Signature } from "./h5-length.js";
import { readJsonFile } from "./json-file.js";
import { isKerasArchive } from "./keras-files.js";
import { type KerasOptions, openKeras } from "./keras-reader.js";
import { writeKeras } from "./keras-writer.js";
import { leftOut } from "./left-out.js";
import { isOwn } from "./metadata.js";
import { indexName, readOwn, writeOwn } from "./own-format.js";
import { readSafetensors } from "./safetensors-reader.js";
import type { WriteOptions } from "./safetensors-writer.js";
import { isIndex, openFolderOfShards, openIndex } from "./shard-index.js";
import { manifestName, manifestPath, openTfjs } from "./tfjs-reader.js";
import { writeTfjs } from "./tfjs-writer.js";
import { checkShared } from "./torch-config.js";
import { openTorch } from "./torch-reader.js";
import { writeTorch } from "./torch-writer.js";
import { readZip } from "./zip-reader.js";

export interface OpenOptions {
  /** For files without names: the parameters' names in the order of the file. */
  readonly names?: readonly string[] | undefined;
  /** For files without options: those that say which slots there are, and the names of an optimizer that has them. */
  readonly layout?: KerasOptions["layout"];
  /** Where names or options are not said, numbers will do. @default false */
  readonly numbered?: boolean | undefined;
}

/** What a file begins with, and who reads it. */
const signatures: readonly {
  matches(start: Buffer): boolean;
  open(file: ByteFile, options: OpenOptions): Promise<Checkpoint>;
}[] = [
  {
    matches: begins(Buffer.from("PK\x03\x04")),
    open: async (file, options) => {
      const entries = await readZip(file);
      return isKerasArchive(entries) ? openKeras(file, entries, options) : openTorch(file, entries, options);
    },
  },
  {
    // Of a file that was cut to a few bytes: that these are too few is said there.
    matches: (start) => start.length >= 4 && start.subarray(0, 8).equals(h5Signature.subarray(0, start.length)),
    open: (file, options) => openKeras(file, null, options),
  },
  {
    // JSON from the first byte on; the length of a safetensors header has zeros in its first eight.
    matches: (start) => start[0] === 0x7b && !start.subarray(0, 8).includes(0),
    open: async (file) => {
      const { path } = file;
      await file.close();
      const json = await readJsonFile(path);
      return isIndex(json) ? openIndex(path, json) : openTfjs(path, json);
    },
  },
  {
    // The pickle of the format before PyTorch 1.6 begins with a number of its own.
    matches: begins(Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20])),
    open: async ({ path }) => {
      const problem = "written in PyTorch's format before 1.6; load it in PyTorch and torch.save it again";
      throw new CheckpointError(path, problem, { offset: 0 });
    },
  },
];

function begins(bytes: Buffer): (start: Buffer) => boolean {
  return (start) => start.subarray(0, bytes.length).equals(bytes);
}

/** Opens a checkpoint of any format. @throws CHECKPOINT, FILE */
export async function openCheckpoint(path: string, options: OpenOptions = {}): Promise<Checkpoint> {
  try {
    return await open(path, options);
  } catch (error) {
    if (error instanceof AdamWError) throw error;
    // Every reader says what is wrong; this is for what none of them thought of.
    const problem = `it cannot be read: ${(error as Error).message}`;
    throw new CheckpointError(path, problem, {}, { cause: error });
  }
}

async function open(path: string, options: OpenOptions): Promise<Checkpoint> {
  const info = await stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (info.isDirectory()) return openFolder(path);
  const file = await ByteFile.open(path);
  try {
    if (file.size === 0) throw new CheckpointError(path, "the file is empty: 0 bytes");
    const start = await readBytes(file, 0, Math.min(16, file.size));
    const signature = signatures.find(({ matches }) => matches(start));
    if (signature) return await signature.open(file, options);
    const foreign = foreignKind(start);
    if (foreign !== undefined) throw new CheckpointError(path, `no checkpoint: the file is ${foreign}`, { offset: 0 });
    // Less than the length of a safetensors header, which begins such a file.
    if (file.size < 8) throw new CheckpointError(path, `no checkpoint, or one that was cut: ${file.size} bytes in all`);
    const safetensors = await readSafetensors(file);
    return isOwn(safetensors.metadata) ? readOwn(safetensors) : openForeignSafetensors(safetensors);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A folder of shards, or else one of TensorFlow.js. @throws CHECKPOINT for what is neither, a manager's folder too */
async function openFolder(path: string): Promise<Checkpoint> {
  const names = await readdir(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (names.includes(indexName)) return openFolderOfShards(path);
  if (!names.includes(manifestName)) {
    await refuseManagers(path);
    return openFolderOfShards(path);
  }
  const manifest = manifestPath(path);
  return openTfjs(manifest, await readJsonFile(manifest));
}

/** A folder holds many checkpoints, and which one is meant is not guessed. @throws CHECKPOINT for that of a manager */
async function refuseManagers(path: string): Promise<void> {
  const folder = new CheckpointFolder(path);
  const [newest] = (await folder.inOrder()).names;
  if (newest === undefined) return;
  const problem = `no checkpoint, but the folder of a CheckpointManager, which loads the newest with resume(): that is ${folder.pathOf(newest)}`;
  throw new CheckpointError(path, problem);
}

export interface FormatWriteOptions extends WriteOptions {
  /** Of the formats that are folders of files. */
  readonly shardBytes?: number | undefined;
}

/** Who writes the formats. */
const writers = {
  "fused-adamw": writeOwn,
  torch: writeTorch,
  keras: writeKeras,
  tfjs: writeTfjs,
} satisfies Record<
  WritableFormat,
  (path: string, checkpoint: Checkpoint, options: FormatWriteOptions) => Promise<Contents>
>;

export interface WriteReport {
  /** Bytes in all. */
  readonly bytes: number;
  /** How many of the checkpoint's tensors are in the file. */
  readonly tensors: number;
  /** What the format has no place for, a sentence each. */
  readonly leftOut: readonly string[];
}

/** @throws CHECKPOINT for a checkpoint whose options no format of this package has */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  { format = formatOf(path), ...options }: FormatWriteOptions & { readonly format?: WritableFormat | undefined },
): Promise<WriteReport> {
  checkShared(checkpoint);
  const { bytes, written } = await writers[format](path, checkpoint, options);
  const tensors = [...checkpoint.tensors.keys()].filter((name) => written.has(name)).length;
  return { bytes, tensors, leftOut: leftOut(checkpoint, format, written) };
}
