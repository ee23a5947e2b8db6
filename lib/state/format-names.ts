/** The formats that can be written: what they are called, and which file extensions stand for them. */

import { extname } from "node:path";

/** Without a dot; the path of a file of our own may have any other extension, or none. */
const extensions = {
  "fused-adamw": ["safetensors"],
  torch: ["pt", "pth", "bin"],
  keras: ["keras", "h5", "hdf5"],
  tfjs: ["json"],
} satisfies Record<string, readonly string[]>;

export type WritableFormat = keyof typeof extensions;
export const writableFormats = Object.keys(extensions) as WritableFormat[];
/** Those that can be folders of files. */
export const shardedFormats: readonly WritableFormat[] = ["fused-adamw", "tfjs"];

/** The format that a file's extension stands for. */
export function formatOf(path: string): WritableFormat {
  const extension = extname(path).slice(1);
  return writableFormats.find((format) => (extensions[format] as string[]).includes(extension)) ?? "fused-adamw";
}
