/** Files of JSON that say where tensors are. */

import { readFile, stat } from "node:fs/promises";
import { isRecord } from "../validate.js";
import { CheckpointError, fileError } from "./errors.js";
import { JsonError, type JsonRecord, parseStrictJson } from "./strict-json.js";

/** A model's topology may be in it. */
const largest = 2 ** 28;

/** @throws CHECKPOINT with the offset, FILE */
export async function readJsonFile(path: string): Promise<JsonRecord> {
  return parseJson(path, await readText(path));
}

async function readText(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > largest) throw new CheckpointError(path, `JSON of ${size} bytes`, { offset: 0 });
    return await readFile(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** @throws CHECKPOINT with the offset */
export function parseJson(path: string, text: Uint8Array): JsonRecord {
  try {
    const json = parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(text));
    if (isRecord(json)) return json;
  } catch (error) {
    if (error instanceof JsonError) throw new CheckpointError(path, error.message, { offset: error.offset });
    throw new CheckpointError(path, "not UTF-8", {}, { cause: error });
  }
  throw new CheckpointError(path, "no JSON object", { offset: 0 });
}
