/** The formats that can be written: what they are called, and which file extensions stand for them. */

import { extname } from "node:path";
import { either, unexpected } from "../errors.js";

/** Without a dot. A path with an extension that nobody has, or with none, is that of a file of our own. */
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

/** Whose the extensions are in which a file of ours would mislead everybody. */
const foreign: Readonly<Record<string, string>> = {
  npy: "NumPy's",
  npz: "NumPy's",
  pkl: "Python's pickle",
  pickle: "Python's pickle",
  joblib: "joblib's",
  ckpt: "TensorFlow's and PyTorch Lightning's",
  pb: "TensorFlow's",
  tflite: "LiteRT's",
  msgpack: "Flax'",
  onnx: "ONNX'",
  gguf: "llama.cpp's",
};

/**
 * The format that a file's extension stands for.
 *
 * @throws INVALID_ARGUMENT for the extension of a format not written here
 */
export function formatOf(path: string): WritableFormat {
  const extension = extname(path).slice(1).toLowerCase();
  const owner = Object.hasOwn(foreign, extension) ? foreign[extension] : undefined;
  if (owner !== undefined) {
    const known = either(Object.values(extensions).flatMap((list) => list.map((name) => `.${name}`)));
    throw unexpected(`a path ending in ${known}, or a format such as "fused-adamw" (.${extension} is ${owner}),`, path);
  }
  return writableFormats.find((format) => (extensions[format] as string[]).includes(extension)) ?? "fused-adamw";
}

/** Whether a path is that of an index of shards, which is written with them into a folder and never alone. */
export function isShardIndex(path: string): boolean {
  return path.toLowerCase().endsWith(".safetensors.index.json");
}
