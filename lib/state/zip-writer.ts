/** Zip archives of stored entries, written to a file piece by piece; yazl knows the format. */

import { Readable } from "node:stream";
import { AtomicFile } from "./atomic-file.js";
import type { Tensor } from "./checkpoint.js";
import { checkSignal } from "./errors.js";
import type { WriteOptions } from "./safetensors-writer.js";

export interface ZipContent {
  readonly name: string;
  readonly data: Buffer | Tensor;
}

const pieceBytes = 2 ** 20;

/** Bytes of the archive. @throws FILE, ABORTED; what was at `path` is whole then */
export function writeZip(path: string, contents: readonly ZipContent[], options: WriteOptions): Promise<number> {
  const total = contents.reduce((sum, { data }) => sum + (Buffer.isBuffer(data) ? 0 : data.byteLength), 0);
  let done = 0;
  // Those that were written are filled again: V8 lets up to 64 MiB of such memory gather before it looks for garbage.
  const lent = new WeakSet<Buffer>();
  const spare: Buffer[] = [];
  async function* pieces(tensor: Tensor) {
    for (let start = 0; start < tensor.byteLength; start += pieceBytes) {
      checkSignal(options.signal, "Saving");
      const length = Math.min(pieceBytes, tensor.byteLength - start);
      const piece = (length === pieceBytes && spare.pop()) || Buffer.alloc(length);
      if (length === pieceBytes) lent.add(piece);
      await tensor.read(start, piece);
      yield piece;
      done += piece.length;
      options.progress?.({ done, total });
    }
  }
  return AtomicFile.write(
    path,
    async (file) => {
      // Loaded when the first archive is written.
      const { ZipFile } = await import("yazl");
      const zip = new ZipFile();
      const output = zip.outputStream as Readable;
      zip.on("error", (error: Error) => output.destroy(error));
      for (const { name, data } of contents) {
        // The same state gives the same bytes.
        const entry = { compress: false, mtime: new Date(315_619_200_000) };
        if (Buffer.isBuffer(data)) zip.addBuffer(data, name, entry);
        else
          zip.addReadStreamLazy(name, { ...entry, size: data.byteLength }, (give) =>
            // Nobody else listens to it: an error that is not heard ends the process.
            give(
              null,
              Readable.from(pieces(data)).on("error", (error) => output.destroy(error)),
            ),
          );
      }
      zip.end();
      let position = 0;
      for await (const chunk of output) {
        await file.write(chunk, position);
        position += chunk.length;
        if (lent.delete(chunk)) spare.push(chunk);
      }
      return position;
    },
    options.beforeRename,
  );
}
