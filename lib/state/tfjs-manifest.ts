/**
 * TensorFlow.js' model.json: among other things the manifest of weights, which lists groups of weights and the files
 * ("shards") that hold their bytes, one weight after the other, cut anywhere.
 */

import { isRecord } from "../validate.js";
import { checksumOf } from "./checksum.js";
import { type Dtype, dtypeOf, elementCount, isCount } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import type { JsonRecord } from "./strict-json.js";

/** Whether a weight is an optimizer's; undefined: the file does not say of any. */
export type WeightGroup = "optimizer" | "model" | undefined;

export interface TfjsWeight {
  readonly name: string;
  /** A name of `dtypes`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly group: WeightGroup;
}

export interface TfjsGroup {
  /** Of the shards, relative to the folder of model.json. */
  readonly paths: readonly string[];
  readonly weights: readonly TfjsWeight[];
}

/** What this package adds to the files it writes; TensorFlow.js drops it when it saves the model again. */
export interface OwnNotes {
  readonly checksums: Readonly<Record<string, string>>;
  readonly user: Readonly<Record<string, string>>;
}

export interface TfjsManifest {
  /** Everything the file says. */
  readonly json: JsonRecord;
  readonly groups: readonly TfjsGroup[];
  readonly notes: OwnNotes | null;
}

export const notesKey = "fused_adamw";
export const generatedBy = "fused-adamw";

/** TensorFlow.js' types that have one size. */
export const tfjsDtypes: Readonly<Record<string, string>> = { float32: "F32", int32: "I32", bool: "BOOL" };

/** The end of the names of the shards this package writes, after the name of their model.json without its ending. */
export const ownShardEnd = /^-[0-9a-f]{16}-shard\d+of\d+\.bin$/;
const ownShard = new RegExp(ownShardEnd.source.replace("^", ""));
/** How TensorFlow.js and its converter number shards. */
const numberedShard = /shard(\d{1,9})of(\d{1,9})(?:\.bin)?$/;

/** @throws CHECKPOINT with the key or the offset */
export function parseManifest(path: string, json: JsonRecord): TfjsManifest {
  const { weightsManifest: listed } = json;
  if (!Array.isArray(listed)) {
    const problem =
      "weight_map" in json
        ? "an index of shards, no model.json of TensorFlow.js, which has this array"
        : "JSON that is neither a model.json of TensorFlow.js, which has this array, nor an index of shards";
    throw new CheckpointError(path, problem, { key: "weightsManifest" });
  }
  const names = new Set<string>();
  const paths = new Set<string>();
  const groups = listed.map((group: unknown) => parseGroup(path, group, names, paths));
  const isOwn =
    notesKey in json ||
    String(json.generatedBy).startsWith(generatedBy) ||
    [...paths].some((shard) => ownShard.test(shard));
  return { json, groups, notes: isOwn ? parseNotes(path, json) : null };
}

function parseGroup(path: string, group: unknown, names: Set<string>, shards: Set<string>): TfjsGroup {
  const { paths, weights } = isRecord(group) ? group : {};
  if (!Array.isArray(paths) || !Array.isArray(weights)) {
    throw new CheckpointError(path, "expected groups of { paths, weights }", { key: "weightsManifest" });
  }
  return {
    paths: paths.map((shard: unknown, i) => {
      const parsed = parseShardPath(path, shard, i, paths.length);
      if (shards.has(parsed)) throw new CheckpointError(path, "the manifest names this file twice", { key: parsed });
      shards.add(parsed);
      return parsed;
    }),
    weights: weights.map((weight: unknown) => {
      const parsed = parseWeight(path, weight);
      if (names.has(parsed.name)) throw new CheckpointError(path, "two weights of this name", { key: parsed.name });
      names.add(parsed.name);
      return parsed;
    }),
  };
}

/** A path in the folder of model.json or below it; numbered shards have to stand in the order of their numbers. */
function parseShardPath(path: string, shard: unknown, place: number, count: number): string {
  const text = typeof shard === "string" ? shard : "";
  const fail = (problem: string): never => {
    throw new CheckpointError(path, problem, { key: text });
  };
  const parts = text.split("/").filter((part) => part !== ".");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (parts.length === 0 || /[\\:\0-\x1f]/.test(text) || parts.some((part) => part === "" || part === "..")) {
    return fail("expected the relative path of a file in the folder of model.json");
  }
  const [, number, total] = numberedShard.exec(text) ?? [];
  if (number !== undefined && (Number(number) !== place + 1 || Number(total) !== count)) {
    return fail(`it stands at place ${place + 1} of ${count}`);
  }
  return parts.join("/");
}

function parseWeight(path: string, weight: unknown): TfjsWeight {
  const { name, dtype, shape, group, quantization } = isRecord(weight) ? weight : {};
  if (typeof name !== "string" || name === "")
    throw new CheckpointError(path, "a weight without a name", { key: "weightsManifest" });
  const fail = (problem: string): never => {
    throw new CheckpointError(path, problem, { key: name });
  };
  if (quantization !== undefined) {
    const kind = isRecord(quantization) ? JSON.stringify(quantization.dtype) : "unknown";
    return fail(`quantized weights (${kind}) are not supported: save it without quantization`);
  }
  const known = typeof dtype === "string" && Object.hasOwn(tfjsDtypes, dtype) ? tfjsDtypes[dtype] : undefined;
  const type: Dtype = dtypeOf(known) ?? fail(`the type ${JSON.stringify(dtype)?.slice(0, 40)} is not supported`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail("the shape is no array of integers ≥ 0");
  if (group !== undefined && group !== "optimizer" && group !== "model") return fail("it is in no known group");
  const byteLength = elementCount(shape) * type.bytes;
  if (!Number.isSafeInteger(byteLength)) return fail("the shape has more elements than can be counted");
  return { name, dtype: type.name, shape: Object.freeze([...shape]), byteLength, group };
}

/** What the notes' checksum covers: all that the file says. */
export function manifestChecksum(json: Readonly<Record<string, unknown>>): string {
  const notes = json[notesKey];
  const { checksum: _, ...covered } = isRecord(notes) ? notes : {};
  return checksumOf(JSON.stringify({ ...json, [notesKey]: covered }));
}

function parseNotes(path: string, json: JsonRecord): OwnNotes {
  const notes = json[notesKey];
  const { checksums, user, checksum } = isRecord(notes) ? notes : {};
  if (checksum !== manifestChecksum(json)) {
    throw new CheckpointError(path, "the checksum is wrong: the file is damaged", { key: notesKey });
  }
  const isTexts = (value: unknown): value is Record<string, string> =>
    isRecord(value) && Object.values(value).every((entry) => typeof entry === "string");
  if (!isTexts(checksums) || !isTexts(user)) {
    throw new CheckpointError(path, "not what this reader expects", { key: notesKey });
  }
  return { checksums, user };
}
