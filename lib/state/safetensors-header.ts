/**
 * The header of a safetensors file: eight bytes of length, little-endian, then JSON that gives every tensor its type,
 * shape and place (https://huggingface.co/docs/safetensors).
 */

import { isRecord } from "../validate.js";
import { type Dtype, dtypeOf, elementCount, isCount } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import { JsonError, parseStrictJson } from "./strict-json.js";

/** The limit of the format's own implementation. */
export const largestHeader = 100_000_000;
const lengthBytes = 8;
/** Where the data begins is a multiple of this, a cache line. */
const alignment = 64;
const metadataKey = "__metadata__";

/** A tensor as the header lists it. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly entries: readonly HeaderEntry[];
}

/** The bytes of a header for tensors that stand one after the other in this order. */
export function formatHeader(
  entries: readonly Omit<HeaderEntry, "offset">[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  // Object.fromEntries defines own properties, whatever they are called.
  let begin = 0;
  const record = Object.fromEntries([
    [metadataKey, metadata],
    ...entries.map(({ name, dtype, shape, byteLength }) => {
      const data_offsets = [begin, begin + byteLength];
      begin += byteLength;
      return [name, { dtype, shape, data_offsets }];
    }),
  ]);
  const json = Buffer.from(JSON.stringify(record));
  const length = lengthBytes + json.length;
  const header = Buffer.alloc(Math.ceil(length / alignment) * alignment, " ");
  header.writeBigUInt64LE(BigInt(header.length - lengthBytes), 0);
  json.copy(header, lengthBytes);
  return header;
}

/** How long the JSON is, from the first eight bytes of a file of `fileSize` bytes. @throws CHECKPOINT */
export function headerLength(path: string, first: Buffer, fileSize: number): number {
  const length = first.readBigUInt64LE(0);
  if (length > BigInt(largestHeader)) {
    throw new CheckpointError(path, `a header of ${length} bytes; ${largestHeader} are allowed`, { offset: 0 });
  }
  if (length + BigInt(lengthBytes) > BigInt(fileSize)) {
    throw new CheckpointError(path, `a header of ${length} bytes in a file of ${fileSize}`, { offset: 0 });
  }
  return Number(length);
}

/**
 * The header in `json`, the bytes after the first eight of a file of `fileSize` bytes. The data must fill the rest of
 * the file without holes or overlaps.
 *
 * @throws CHECKPOINT with the offset or the key
 */
export function parseHeader(path: string, json: Buffer, fileSize: number): Header {
  const record = parseRecord(path, json);
  const { [metadataKey]: metadata = {}, ...tensors } = record;
  const dataStart = lengthBytes + json.length;
  const entries = Object.entries(tensors)
    .map(([name, entry]) => parseEntry(path, name, entry, dataStart))
    .sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, offset, byteLength } of entries) {
    if (offset !== end) {
      const problem = `its data begins at byte ${offset} where ${end} was expected: tensors overlap or leave a hole`;
      throw new CheckpointError(path, problem, { key: name });
    }
    end += byteLength;
  }
  if (end !== fileSize) {
    throw new CheckpointError(path, `the tensors end at byte ${end} in a file of ${fileSize}`, { offset: end });
  }
  return { metadata: parseMetadata(path, metadata), entries };
}

function parseRecord(path: string, json: Buffer): Record<string, unknown> {
  // The format wants the object at once, so that no other reader takes the file for something else.
  if (json[0] !== 0x7b) throw new CheckpointError(path, "no safetensors header", { offset: lengthBytes });
  try {
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json)) as Record<
      string,
      unknown
    >;
  } catch (error) {
    if (error instanceof JsonError) {
      throw new CheckpointError(path, error.message, { offset: lengthBytes + error.offset });
    }
    throw new CheckpointError(path, "the header is not UTF-8", { offset: lengthBytes }, { cause: error });
  }
}

function parseMetadata(path: string, metadata: unknown): Record<string, string> {
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw new CheckpointError(path, "expected strings under string keys", { key: metadataKey });
  }
  return metadata as Record<string, string>;
}

function parseEntry(path: string, name: string, entry: unknown, dataStart: number): HeaderEntry {
  const fail = (problem: string): never => {
    throw new CheckpointError(path, problem, { key: name });
  };
  if (!isRecord(entry) || Object.keys(entry).sort().join() !== "data_offsets,dtype,shape") {
    return fail("expected { dtype, shape, data_offsets }");
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  const type: Dtype = dtypeOf(dtype) ?? fail(`the type ${JSON.stringify(dtype)?.slice(0, 40)} is unknown`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail("the shape is no array of integers ≥ 0");
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail("data_offsets are no two integers ≥ 0");
  }
  const [begin, end] = offsets as [number, number];
  const byteLength = elementCount(shape) * type.bytes;
  if (!Number.isSafeInteger(byteLength)) return fail("the shape has more elements than can be counted");
  if (end - begin !== byteLength) {
    return fail(`${end - begin} bytes of data where its shape and type have ${byteLength}`);
  }
  return { name, dtype: type.name, shape: Object.freeze([...shape]), offset: dataStart + begin, byteLength };
}
