/** What our own files say in `__metadata__` beside the tensors: configuration, counts, checksums. */

import type { Counters } from "../engine.js";
import type { SerializedObject } from "../keras-object.js";
import { isRecord } from "../validate.js";
import type { Checkpoint, StoredParameter } from "./checkpoint.js";
import { checksumOf, unknownChecksum } from "./checksum.js";
import { CheckpointError } from "./errors.js";
import { type JsonRecord, parseStrictJson } from "./strict-json.js";

export const ownFormat = "fused-adamw";
/** Raised when a reader of this version could misread a file. */
export const schemaVersion = 1;

/** The parts of a checkpoint that are no tensors, and how tensors are checked. */
export type Description = Pick<
  Checkpoint,
  "optimizer" | "isConfigPartial" | "learningRate" | "counters" | "parameters" | "metadata"
>;

export interface OwnMetadata extends Description {
  /** Shared by the files that were saved together. */
  readonly id: string;
  /** By tensor. */
  readonly checksums: ReadonlyMap<string, string>;
}

/** What a tensor's place in the file does not change. */
type Listed = { readonly name: string; readonly dtype: string; readonly shape: readonly number[] };

/** The strings of `__metadata__`. */
export function formatMetadata(
  id: string,
  { optimizer, isConfigPartial = false, learningRate, counters, parameters, metadata }: Description,
  tensors: readonly Listed[],
  checksums: Readonly<Record<string, string>>,
): Record<string, string> {
  const strings: Record<string, string> = {
    format: ownFormat,
    schema_version: String(schemaVersion),
    id,
    precision: "float32", // of the arithmetic; tensors have types of their own
    optimizer: JSON.stringify(optimizer),
    optimizer_keys: isConfigPartial ? "some" : "all",
    learning_rate: JSON.stringify(learningRate),
    counters: JSON.stringify(counters),
    parameters: JSON.stringify(parameters),
    user: JSON.stringify(metadata),
    checksum_algorithm: "crc32",
    checksums: JSON.stringify(checksums),
  };
  return { ...strings, checksum: contentChecksum(strings, tensors) };
}

/**
 * The checksum of what the header says, not of its bytes: a tool that writes the same header in another order or
 * spacing leaves the file whole.
 */
export function contentChecksum(strings: Readonly<Record<string, string>>, tensors: readonly Listed[]): string {
  const { checksum: _, ...covered } = strings;
  const list = tensors.map(({ name, dtype, shape }) => [name, dtype, shape] as const);
  const byName = <T extends readonly [string, ...unknown[]]>(a: T, b: T) => (a[0] < b[0] ? -1 : 1);
  return checksumOf(JSON.stringify([Object.entries(covered).sort(byName), [...list].sort(byName)]));
}

/** Whether anything says that a file is one of ours: one whose `format` is damaged must not pass for a foreign one. */
export function isOwn(strings: Readonly<Record<string, string>>): boolean {
  return strings.format === ownFormat || ("schema_version" in strings && "counters" in strings);
}

/** @throws CHECKPOINT when anything is missing, damaged or of a newer version */
export function parseMetadata(
  path: string,
  strings: Readonly<Record<string, string>>,
  tensors: readonly Listed[],
): OwnMetadata {
  if (strings.format !== ownFormat) throw new CheckpointError(path, `expected ${ownFormat}`, { key: "format" });
  const version = Number(strings.schema_version);
  if (version !== schemaVersion) {
    const problem = `written in version ${strings.schema_version} of the file format; this reader knows ${schemaVersion}`;
    throw new CheckpointError(path, problem, { key: "schema_version" });
  }
  if (strings.checksum !== contentChecksum(strings, tensors)) {
    throw new CheckpointError(path, "the header's checksum is wrong: the file is damaged", { key: "checksum" });
  }
  const read = <T>(key: string, accepts: (value: unknown) => boolean): T => {
    const value = parseText(path, key, strings[key]);
    if (!accepts(value)) throw new CheckpointError(path, "not what this reader expects", { key });
    return value as T;
  };
  const checksums = read<JsonRecord>("checksums", isRecordOf(isChecksum));
  return {
    id: strings.id ?? "",
    optimizer: read<SerializedObject | null>("optimizer", (value) => value === null || isRecord(value)),
    isConfigPartial: strings.optimizer_keys === "some",
    learningRate: read<number | null>("learning_rate", (value) => value === null || typeof value === "number"),
    counters: read<Partial<Counters>>(
      "counters",
      isRecordOf((value) => typeof value === "number"),
    ),
    parameters: read<StoredParameter[]>("parameters", (value) => Array.isArray(value) && value.every(isParameter)),
    metadata: read<Record<string, string>>(
      "user",
      isRecordOf((value) => typeof value === "string"),
    ),
    checksums: new Map(Object.entries(checksums) as [string, string][]),
  };
}

function parseText(path: string, key: string, text: string | undefined): unknown {
  try {
    return parseStrictJson(text ?? "");
  } catch (error) {
    throw new CheckpointError(path, (error as Error).message, { key }, { cause: error });
  }
}

function isRecordOf(accepts: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => isRecord(value) && Object.values(value).every(accepts);
}

function isChecksum(value: unknown): boolean {
  return typeof value === "string" && value.length === unknownChecksum.length;
}

function isParameter(value: unknown): value is StoredParameter {
  if (!isRecord(value)) return false;
  const { name, shape, frozen } = value;
  return (
    typeof name === "string" && typeof frozen === "boolean" && Array.isArray(shape) && shape.every(Number.isInteger)
  );
}
