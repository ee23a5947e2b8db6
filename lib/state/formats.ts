/** The file formats, and which of them a file has. */

import { stat } from "node:fs/promises";
import { ByteFile, readBytes } from "./byte-file.js";
import type { Checkpoint } from "./checkpoint.js";
import { CheckpointError, fileError } from "./errors.js";
import { openForeignSafetensors } from "./foreign-safetensors.js";
import { isKerasArchive } from "./keras-files.js";
import { type KerasOptions, openKeras } from "./keras-reader.js";
import { writeKeras } from "./keras-writer.js";
import { isOwn } from "./metadata.js";
import { openOwnFolder, readOwn, writeOwn } from "./own-format.js";
import { readSafetensors } from "./safetensors-reader.js";
import type { WriteOptions } from "./safetensors-writer.js";
import { openTorch } from "./torch-reader.js";
import { writeTorch } from "./torch-writer.js";
import { readZip } from "./zip-reader.js";

export interface OpenOptions {
  /** For files without names: the parameters' names in the order of the file. */
  readonly names?: readonly string[] | undefined;
  /** For files without options: those that say which slots there are, and the names of an optimizer that has them. */
  readonly layout?: KerasOptions["layout"];
}

/** What a file begins with, and who reads it. */
const signatures: readonly {
  readonly bytes: Buffer;
  open(file: ByteFile, options: OpenOptions): Promise<Checkpoint>;
}[] = [
  {
    bytes: Buffer.from("PK\x03\x04"),
    open: async (file, options) => {
      const entries = await readZip(file);
      return isKerasArchive(entries) ? openKeras(file, entries, options) : openTorch(file, entries, options.names);
    },
  },
  { bytes: Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), open: (file, options) => openKeras(file, null, options) },
  {
    // The pickle of the format before PyTorch 1.6 begins with a number of its own.
    bytes: Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20]),
    open: async ({ path }) => {
      const problem = "written in PyTorch's format before 1.6; load it in PyTorch and torch.save it again";
      throw new CheckpointError(path, problem, { offset: 0 });
    },
  },
];

/** Opens a checkpoint of any format. @throws CHECKPOINT, FILE */
export async function openCheckpoint(path: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const info = await stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (info.isDirectory()) return openOwnFolder(path);
  const file = await ByteFile.open(path);
  try {
    const start = await readBytes(file, 0, Math.min(16, file.size));
    const signature = signatures.find(({ bytes }) => start.subarray(0, bytes.length).equals(bytes));
    if (signature) return await signature.open(file, options);
    const safetensors = await readSafetensors(file);
    return isOwn(safetensors.metadata) ? readOwn(safetensors) : openForeignSafetensors(safetensors);
  } catch (error) {
    await file.close();
    throw error;
  }
}

export interface FormatWriteOptions extends WriteOptions {
  /** Of our own format only. */
  readonly shardBytes?: number | undefined;
}

/** The formats that can be written, and by whom. Each returns the bytes it wrote. */
const writers = {
  "fused-adamw": writeOwn,
  torch: writeTorch,
  keras: writeKeras,
} satisfies Record<string, (path: string, checkpoint: Checkpoint, options: FormatWriteOptions) => Promise<number>>;

export type WritableFormat = keyof typeof writers;
export const writableFormats = Object.keys(writers) as WritableFormat[];

/** The format that a file's extension stands for. */
export function formatOf(path: string): WritableFormat {
  if (/\.(keras|h5|hdf5)$/.test(path)) return "keras";
  return /\.(pt|pth|bin)$/.test(path) ? "torch" : "fused-adamw";
}

export function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  { format = formatOf(path), ...options }: FormatWriteOptions & { readonly format?: WritableFormat | undefined },
): Promise<number> {
  return writers[format](path, checkpoint, options);
}
