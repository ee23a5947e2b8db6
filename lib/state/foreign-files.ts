/** Files of other programs that are no checkpoints here, by what they begin with. */

const packed = "a compressed file: unpack it first";
const pickle = "a bare pickle of Python, which only Python can read";

/** The first bytes, as Latin-1, and what the file then is. */
const beginnings: readonly (readonly [string, string])[] = [
  ["\x93NUMPY", "a NumPy array"],
  ["GGUF", "a GGUF model"],
  ["\x80\x02", pickle],
  ["\x80\x03", pickle],
  ["\x80\x04", pickle],
  ["\x80\x05", pickle],
  ["\x1f\x8b", packed],
  ["\x28\xb5\x2f\xfd", packed],
  ["\xfd7zXZ", packed],
  ["BZh", packed],
  ["7z\xbc\xaf\x27\x1c", packed],
  ["\x89PNG", "a PNG image"],
  ["\xff\xd8\xff", "a JPEG image"],
  ["GIF8", "a GIF image"],
  ["%PDF-", "a PDF document"],
  ["MATLAB", "a MATLAB file"],
  ["PAR1", "a Parquet table"],
  ["ARROW1", "an Arrow table"],
  ["\0".repeat(16), "one that begins with zeros, as where data never reached the disk"],
];

/**
 * The fourth byte of a length that a safetensors header may have is at most 5, which text has not: four bytes are
 * enough.
 */
const text = /^[\t\n\r -~]{4,8}$/;

/**
 * What a file is that no reader wants; undefined: it could be a damaged checkpoint. The first bytes of a safetensors
 * file are a length, which can be any of these; JSON comes after the eighth.
 */
export function foreignKind(start: Uint8Array): string | undefined {
  const bytes = Buffer.from(start).toString("latin1");
  if (bytes[8] === "{") return undefined;
  const known = beginnings.find(([beginning]) => bytes.startsWith(beginning));
  return known?.[1] ?? (text.test(bytes.slice(0, 8)) ? "a text file" : undefined);
}
