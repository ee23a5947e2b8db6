/** The shapes in a safetensors file (https://github.com/huggingface/safetensors#format): its header, never its data. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { isRecord } from "../validate.js";
import { CommandError } from "./exit.js";
import type { ShapedParameter } from "./models.js";

const lengthBytes = 8;
/** The limit of the reference implementation. */
const mostHeaderBytes = 100_000_000;

/** Every tensor of the file in its order. @throws CommandError for a file of another kind */
export function readSafetensorsShapes(path: string): ShapedParameter[] {
  const header = readHeader(path);
  return Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => {
      const shape = isRecord(entry) ? entry.shape : undefined;
      const isShape = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
      if (!isShape) throw notSafetensors(path, `${name} has no shape`);
      return { name, shape };
    });
}

function readHeader(path: string): Record<string, unknown> {
  const file = openSync(path, "r");
  try {
    const start = Buffer.alloc(lengthBytes);
    const { size } = fstatSync(file);
    if (readSync(file, start, 0, lengthBytes, 0) < lengthBytes) throw notSafetensors(path, "it is too short");
    const length = Number(start.readBigUInt64LE());
    if (length > mostHeaderBytes || length + lengthBytes > size) throw notSafetensors(path, "its header is cut off");
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, lengthBytes);
    const header: unknown = JSON.parse(bytes.toString("utf8"));
    if (!isRecord(header)) throw notSafetensors(path, "its header is no object");
    return header;
  } catch (error) {
    if (error instanceof SyntaxError) throw notSafetensors(path, "its header is no JSON");
    throw error;
  } finally {
    closeSync(file);
  }
}

function notSafetensors(path: string, reason: string): CommandError {
  return new CommandError("usage", `${path} is no safetensors file: ${reason}`);
}
