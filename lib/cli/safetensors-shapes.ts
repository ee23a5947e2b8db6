/** The shapes in a safetensors file (https://github.com/huggingface/safetensors#format): its header, never its data. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { isOwn } from "../state/metadata.js";
import { isRecord } from "../validate.js";
import { CommandError } from "./exit.js";
import type { ShapedParameter } from "./models.js";

const lengthBytes = 8;
/** The limit of the reference implementation. */
const mostHeaderBytes = 100_000_000;

export interface ShapesOfFile {
  readonly parameters: ShapedParameter[];
  /** The serialized optimizer of a checkpoint of ours. */
  readonly optimizer?: unknown;
}

/**
 * Every tensor of the file in its order; of a checkpoint of ours, the parameters that it belongs to.
 *
 * @throws CommandError for a file of another kind
 */
export function readSafetensorsShapes(path: string): ShapesOfFile {
  const header = readHeader(path);
  const { __metadata__: strings } = header;
  if (isRecord(strings) && isOwn(strings as Record<string, string>)) {
    return { parameters: ownParameters(path, strings.parameters), optimizer: parsed(path, strings.optimizer) };
  }
  const parameters = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => ({ name, shape: shapeOf(path, name, entry) }));
  return { parameters };
}

function parsed(path: string, json: unknown): unknown {
  try {
    return typeof json === "string" ? JSON.parse(json) : undefined;
  } catch {
    throw notSafetensors(path, "its metadata is no JSON");
  }
}

function ownParameters(path: string, json: unknown): ShapedParameter[] {
  const list = parsed(path, json);
  if (!Array.isArray(list)) throw notSafetensors(path, "it does not list its parameters");
  return list.map((entry) => ({ name: String(entry?.name), shape: shapeOf(path, String(entry?.name), entry) }));
}

function shapeOf(path: string, name: string, entry: unknown): readonly number[] {
  const shape = isRecord(entry) ? entry.shape : undefined;
  const isShape = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (!isShape) throw notSafetensors(path, `${name} has no shape`);
  return shape;
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
