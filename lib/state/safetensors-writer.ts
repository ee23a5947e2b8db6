/** Writing a safetensors file: one pass over the data, checksums into the header afterwards. */

import { AtomicFile } from "./atomic-file.js";
import { ByteSink } from "./byte-sink.js";
import type { Tensor, TransferOptions } from "./checkpoint.js";
import { Checksum, unknownChecksum } from "./checksum.js";
import { dtypeOf } from "./dtypes.js";
import { checkSignal } from "./errors.js";
import { formatHeader } from "./safetensors-header.js";

/** What goes into the header once the checksum of every tensor is known; always as long as with unknown ones. */
export type MakeMetadata = (checksums: Readonly<Record<string, string>>) => Record<string, string>;

export interface WriteOptions extends TransferOptions {
  /** Runs when the new file is safe on its disk, before it takes its place. */
  beforeRename?: (() => Promise<void>) | undefined;
}

export interface Written {
  /** Bytes of the file. */
  readonly bytes: number;
  /** By tensor. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** Larger elements first: then each stands at a multiple of its size, which PyTorch's reader needs. */
export function inFileOrder<T extends { readonly dtype: string }>(tensors: readonly T[]): T[] {
  const size = ({ dtype }: T) => dtypeOf(dtype)?.bytes ?? 0;
  return [...tensors].sort((a, b) => size(b) - size(a));
}

/** @throws FILE, ABORTED; the file at `path` is then what it was */
export function writeSafetensors(
  path: string,
  tensors: readonly Tensor[],
  makeMetadata: MakeMetadata,
  { signal, progress, beforeRename }: WriteOptions = {},
): Promise<Written> {
  const ordered = inFileOrder(tensors);
  const total = ordered.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const placeholders = Object.fromEntries(ordered.map(({ name }) => [name, unknownChecksum]));
  return AtomicFile.write(
    path,
    async (file) => {
      const reserved = formatHeader(ordered, makeMetadata(placeholders));
      const sink = new ByteSink(file, reserved.length);
      const checksums: Record<string, string> = { ...placeholders };
      for (const tensor of ordered) {
        const checksum = new Checksum();
        await sink.append(tensor, async (piece) => {
          checkSignal(signal, "Saving");
          await checksum.update(piece);
          progress?.({ done: sink.position - reserved.length, total });
        });
        checksums[tensor.name] = checksum.text;
      }
      await sink.flush();
      await file.write(formatHeader(ordered, makeMetadata(checksums)), 0);
      return { bytes: reserved.length + total, checksums };
    },
    beforeRename,
  );
}
