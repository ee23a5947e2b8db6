/** How long an HDF5 file says it is: of one that was cut the library reads what is left, and finds nothing. */

import { type ByteSource, readBytes } from "./byte-file.js";
import { CheckpointError } from "./errors.js";

export const h5Signature = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/** Of the first block of a file, in every version: its fields follow one another, and addresses have a size it says. */
interface Superblock {
  /** Where the size of addresses stands. */
  readonly sizeAt: number;
  /** Where the addresses begin: the base of the others, another, the end of the file, which the base does not shift. */
  readonly addressesAt: number;
}

const superblocks: readonly Superblock[] = [
  { sizeAt: 13, addressesAt: 24 },
  { sizeAt: 13, addressesAt: 28 },
  { sizeAt: 9, addressesAt: 12 },
  { sizeAt: 9, addressesAt: 12 },
];
/** As long as any superblock is up to the end of its third address. */
const longest = 28 + 3 * 8;

/** @throws CHECKPOINT for a file that ends before its end; what else is wrong with it the library says */
export async function checkH5Length(source: ByteSource): Promise<void> {
  const { path, size } = source;
  const block = layoutOf(await readBytes(source, 0, Math.min(longest, size)));
  if (block === undefined) return;
  const end = size < block.length ? block.length : block.end();
  const least = size < block.length ? "at least " : "";
  if (!Number.isSafeInteger(end) || end <= size) return;
  throw new CheckpointError(path, `truncated: ${size} of ${least}${end} bytes`, { offset: size });
}

/** The superblock of a file that begins with these bytes; undefined for one that this reader does not know. */
function layoutOf(start: Buffer): { readonly length: number; end(): number } | undefined {
  const signature = start.subarray(0, h5Signature.length);
  if (!signature.equals(h5Signature.subarray(0, signature.length))) return undefined;
  const superblock = superblocks[start[h5Signature.length] ?? 0];
  const bytes = superblock && (start[superblock.sizeAt] ?? 8);
  if (bytes === undefined || ![2, 4, 8].includes(bytes)) return undefined;
  const { addressesAt } = superblock as Superblock;
  const address = (index: number) => {
    const at = addressesAt + index * bytes;
    return bytes === 8 ? Number(start.readBigUInt64LE(at)) : start.readUIntLE(at, bytes);
  };
  return { length: addressesAt + 3 * bytes, end: () => address(2) - address(0) };
}
