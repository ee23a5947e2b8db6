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
];

/**
 * What a file is that no reader wants; undefined: it could be a damaged checkpoint. The first bytes of a safetensors
 * file are a length, which can be any of these; JSON comes after the eighth.
 */
export function foreignKind(start: Uint8Array): string | undefined {
  const text = Buffer.from(start).toString("latin1");
  if (text[8] === "{") return undefined;
  const known = beginnings.find(([beginning]) => text.startsWith(beginning));
  return known?.[1] ?? (/^[\t\n\r -~]{8}/.test(text) ? "a text file" : undefined);
}
