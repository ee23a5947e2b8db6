/** Folders of safetensors files with an index, ours or such as Hugging Face's libraries write. */

import { dirname, join } from "node:path";
import { isRecord } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { CheckpointError, isMissing } from "./errors.js";
import { openForeignSafetensors } from "./foreign-safetensors.js";
import { readJsonFile } from "./json-file.js";
import { isOwn, parseMetadata } from "./metadata.js";
import { checkpointOf, indexName, shardName } from "./own-format.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors-reader.js";
import type { JsonRecord } from "./strict-json.js";

/** A name in the index' own folder. */
const fileName = /^[^/\\:\p{Cc}]+\.safetensors$/u;

/** Whether JSON is an index and nothing else that is known here. */
export function isIndex(json: JsonRecord): boolean {
  return "weight_map" in json;
}

/** @throws CHECKPOINT, FILE */
export async function openFolderOfShards(folder: string): Promise<Checkpoint> {
  const path = join(folder, indexName);
  const json = await readJsonFile(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    throw new CheckpointError(folder, `no checkpoint, or one that was never finished: it has no ${indexName}`);
  });
  return openIndex(path, json);
}

/** The checkpoint in the folder of an index at `path` that says `json`. @throws CHECKPOINT, FILE */
export async function openIndex(path: string, json: JsonRecord): Promise<Checkpoint> {
  const { strings, weightMap } = parseIndex(path, json);
  const folder = dirname(path);
  const isOurs = isOwn(strings);
  const files = new Map<string, SafetensorsFile>();
  const close = async () => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const name of new Set(weightMap.values())) {
      if (isOurs && !shardName.test(name)) {
        throw new CheckpointError(path, "not the name of a file of ours", { key: name });
      }
      if (!fileName.test(name)) throw new CheckpointError(path, "not the name of a file beside it", { key: name });
      files.set(name, await openShard(path, name));
    }
    const tensors = [...files].flatMap(([name, file]) => file.tensors.map((tensor) => ({ name, tensor })));
    for (const { name, tensor } of tensors) {
      if (weightMap.get(tensor.name) === name) continue;
      throw new CheckpointError(path, `the index does not say that it is in ${name}`, { key: tensor.name });
    }
    if (tensors.length !== weightMap.size) throw new CheckpointError(path, "a tensor of the index is in no file");
    const list = tensors.map(({ tensor }) => tensor);
    const metadata = isOurs ? parseMetadata(path, strings, list) : undefined;
    for (const [name, file] of files) {
      if (metadata ? file.metadata.id === metadata.id : !isOwn(file.metadata)) continue;
      throw new CheckpointError(join(folder, name), "saved at another time than the index", { key: "id" });
    }
    if (metadata) return checkpointOf(folder, metadata, list, close);
    return openForeignSafetensors({ path: folder, metadata: strings, tensors: list, close });
  } catch (error) {
    await close();
    throw error;
  }
}

function openShard(path: string, name: string): Promise<SafetensorsFile> {
  return openSafetensors(join(dirname(path), name)).catch((error: unknown) => {
    throw isMissing(error) ? new CheckpointError(path, "the file is missing", { key: name }) : error;
  });
}

const isText = (value: unknown): value is string => typeof value === "string";

function parseIndex(path: string, { metadata, weight_map: files }: JsonRecord) {
  if (isRecord(metadata) && isRecord(files) && Object.values(files).every(isText)) {
    // Beside the sizes, which are numbers; in ours everything else is text, as its checksum finds.
    const strings = Object.entries(metadata).filter((entry): entry is [string, string] => isText(entry[1]));
    return {
      strings: Object.fromEntries(strings),
      weightMap: new Map(Object.entries(files as Record<string, string>)),
    };
  }
  throw new CheckpointError(path, "expected { metadata, weight_map } of strings");
}
