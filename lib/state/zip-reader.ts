/** Zip archives that may be hostile, read in ranges; yauzl knows the format. */

import { Readable } from "node:stream";
import { createInflateRaw } from "node:zlib";
import type { Entry, RandomAccessReader, ZipFile } from "yauzl";
import { type ByteSource, readBytes } from "./byte-file.js";
import { Checksum } from "./checksum.js";
import { CheckpointError } from "./errors.js";

/** More entries than a state of 100,000 parameters has. */
const mostEntries = 1_000_000;

export interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked. */
  readonly size: number;
  /** CRC-32 of the unpacked bytes, as eight hexadecimal digits. */
  readonly checksum: string;
  readonly isStored: boolean;
  /** Where the bytes of a stored entry begin. */
  start(): Promise<number>;
  /**
   * All of the unpacked bytes, checked.
   *
   * @throws CHECKPOINT when there are more than `limit`, or others than promised
   */
  bytes(limit: number): Promise<Buffer>;
}

const stored = 0;
const deflated = 8;

/** The entries of an archive by name; its source stays the caller's. @throws CHECKPOINT */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const fail = (error: unknown) => {
    if (error instanceof CheckpointError) return error;
    return new CheckpointError(source.path, `no valid zip archive: ${(error as Error).message}`, {}, { cause: error });
  };
  // Loaded when the first archive is read.
  const yauzl = await import("yauzl");
  const reader = makeReader(yauzl.RandomAccessReader, source);
  const zip = await yauzl
    .fromRandomAccessReaderPromise(reader, source.size, { lazyEntries: true, autoClose: false })
    .catch((error: unknown) => {
      throw fail(error);
    });
  const entries = new Map<string, ZipEntry>();
  if (zip.entryCount > mostEntries) throw fail(new Error(`${zip.entryCount} entries`));
  const listed = new Promise<void>((resolve, reject) => {
    zip.on("error", (error: unknown) => reject(fail(error)));
    zip.on("end", resolve);
    zip.on("entry", (entry: Entry) => {
      try {
        addEntry(source, zip, entry, entries, fail);
        zip.readEntry();
      } catch (error) {
        reject(error);
      }
    });
  });
  zip.readEntry();
  await listed;
  return entries;
}

function addEntry(
  source: ByteSource,
  zip: ZipFile,
  entry: Entry,
  entries: Map<string, ZipEntry>,
  fail: (error: unknown) => CheckpointError,
): void {
  const { fileName: name, uncompressedSize: size, compressedSize, compressionMethod } = entry;
  const place = { key: name };
  if (entries.has(name)) throw new CheckpointError(source.path, "the archive has two entries of this name", place);
  const isStored = compressionMethod === stored;
  if (entry.isEncrypted() || (!isStored && compressionMethod !== deflated)) {
    throw new CheckpointError(
      source.path,
      "the entry is encrypted or packed in a way this reader does not know",
      place,
    );
  }
  const findStart = async () => {
    const header = await zip.readLocalFileHeaderPromise(entry, { minimal: true }).catch((error: unknown) => {
      throw fail(error);
    });
    return header.fileDataStart;
  };
  // Any number of tensors can be in one storage.
  let found: Promise<number> | undefined;
  const start = () => {
    found ??= findStart();
    return found;
  };
  const checksum = entry.crc32.toString(16).padStart(8, "0");
  const bytes = async (limit: number) => {
    if (size > limit) throw new CheckpointError(source.path, `${size} bytes where at most ${limit} are allowed`, place);
    // What is packed can be no longer than what it holds, but for a little.
    if (compressedSize > size + 1024) throw new CheckpointError(source.path, "longer packed than unpacked", place);
    const packed = await readBytes(source, await start(), compressedSize);
    const unpacked = isStored
      ? packed
      : await inflate(packed, size).catch((error: unknown) => {
          throw new CheckpointError(source.path, (error as Error).message, place, { cause: error });
        });
    const actual = new Checksum();
    await actual.update(unpacked);
    if (unpacked.length !== size || actual.text !== checksum) {
      throw new CheckpointError(source.path, "other bytes than the archive promises: the data is damaged", place);
    }
    return unpacked;
  };
  entries.set(name, { name, size, checksum, isStored, start, bytes });
}

/** Stops as soon as there is more than promised. */
async function inflate(packed: Buffer, size: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of Readable.from([packed]).pipe(createInflateRaw())) {
    length += piece.length;
    if (length > size) throw new Error("the entry unpacks to more than the archive promises");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** How yauzl reads; its class is known only once it is loaded. */
function makeReader(Base: typeof RandomAccessReader, source: ByteSource): RandomAccessReader {
  class SourceReader extends Base {
    override read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      done: (error: Error | null) => void,
    ) {
      source.read(position, buffer.subarray(offset, offset + length)).then(
        () => done(null),
        (error: Error) => done(error),
      );
    }

    override close(done: (error: Error | null) => void): void {
      done(null);
    }
  }
  return new SourceReader();
}
