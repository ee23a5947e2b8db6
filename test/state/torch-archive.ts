/** Archives like PyTorch's, in memory. */

import { ZipFile } from "yazl";
import { ByteMemory } from "../../lib/state/byte-file.js";
import { openTorch as open } from "../../lib/state/torch-reader.js";
import { readZip } from "../../lib/state/zip-reader.js";

/** One with this `data.pkl` and more entries. */
export async function archive(
  pickle: Buffer,
  more: Readonly<Record<string, Buffer>> = {},
  compress = false,
): Promise<ByteMemory> {
  const zip = new ZipFile();
  zip.addBuffer(pickle, "archive/data.pkl", { compress });
  for (const [name, data] of Object.entries(more)) zip.addBuffer(data, name, { compress });
  zip.end();
  const parts: Buffer[] = [];
  for await (const part of zip.outputStream) parts.push(part as Buffer);
  return new ByteMemory("memory.pt", Buffer.concat(parts));
}

export async function openTorch(source: ByteMemory, names?: readonly string[]) {
  return open(source, await readZip(source), { names });
}

/** All entries of an archive but its `data.pkl`, and that. */
export async function entriesOf(bytes: Buffer): Promise<{ pickle: Buffer; more: Record<string, Buffer> }> {
  const entries = [...(await readZip(new ByteMemory("entries.pt", bytes)))];
  const contents = await Promise.all(
    entries.map(async ([name, entry]): Promise<[string, Buffer]> => {
      return [name.replace(/^[^/]+/, "archive"), await entry.bytes(entry.size)];
    }),
  );
  const { "archive/data.pkl": pickle, ...more } = Object.fromEntries(contents);
  return { pickle: pickle as Buffer, more };
}

/** The bytes of a file in memory. */
export async function bytesOfSource(source: ByteMemory): Promise<Buffer> {
  const bytes = Buffer.alloc(source.size);
  await source.read(0, bytes);
  return bytes;
}
