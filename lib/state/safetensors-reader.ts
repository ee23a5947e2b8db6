/** Opening a safetensors file: its metadata, and its tensors to be read in ranges. */

import { ByteFile } from "./byte-file.js";
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
  const file = await ByteFile.open(path);
  try {
    if (file.size < 8) throw new CheckpointError(path, "too short for a safetensors file", { offset: file.size });
    const length = headerLength(path, await file.bytes(0, 8), file.size);
    const { metadata, entries } = parseHeader(path, await file.bytes(8, length), file.size);
    const tensors = entries.map((entry) => ({
      ...entry,
      read: (start: number, into: Uint8Array) => file.read(entry.offset + start, into),
    }));
    return { path, metadata, tensors, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}
