/** Opening a safetensors file: its metadata, and its tensors to be read in ranges. */

import { ByteFile, type ByteSource, readBytes } from "./byte-file.js";
import type { Tensor } from "./checkpoint.js";
import { CheckpointError } from "./errors.js";
import { headerLength, parseHeader } from "./safetensors-header.js";

export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly tensors: readonly Tensor[];
  close(): Promise<void>;
}

/** @throws CHECKPOINT, FILE */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return readSafetensors(await ByteFile.open(path));
}

/** Takes over the source: it is closed with the file, or when this fails. @throws CHECKPOINT, FILE */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const { path, size } = source;
  try {
    if (size < 8) throw new CheckpointError(path, "too short for a safetensors file", { offset: size });
    const length = headerLength(path, await readBytes(source, 0, 8), size);
    const { metadata, entries } = parseHeader(path, await readBytes(source, 8, length), size);
    const tensors = entries.map((entry) => ({
      ...entry,
      read: (start: number, into: Uint8Array) => source.read(entry.offset + start, into),
    }));
    return { path, metadata, tensors, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}
