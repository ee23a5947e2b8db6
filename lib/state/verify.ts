/** Comparing a tensor with its checksum. */

import type { Tensor } from "./checkpoint.js";
import { Checksum } from "./checksum.js";
import { CheckpointError } from "./errors.js";
import type { Destination, PieceReader } from "./pieces.js";

/** Reads a tensor piece by piece, as PieceReader does. @throws CHECKPOINT at its end, where it has another checksum */
export async function readTensor(
  path: string,
  tensor: Tensor,
  reader: PieceReader,
  use: (piece: Uint8Array, start: number) => void,
  destination?: Destination,
): Promise<void> {
  const checksum = new Checksum();
  const take = async (piece: Uint8Array, start: number) => {
    if (tensor.checksum !== undefined) await checksum.update(piece);
    use(piece, start);
  };
  await reader.each(tensor, take, destination);
  checkChecksum(path, tensor, checksum);
}

/** @throws CHECKPOINT where the checksum of all its bytes is another one than the tensor's */
export function checkChecksum(path: string, tensor: Tensor, checksum: Checksum): void {
  if (tensor.checksum !== undefined && checksum.text !== tensor.checksum) {
    const problem = `checksum ${checksum.text} where ${tensor.checksum} is expected: the data is damaged`;
    throw new CheckpointError(path, problem, { key: tensor.name, ...(tensor.offset && { offset: tensor.offset }) });
  }
}

/** Reads a tensor for nothing but its checksum, where the format has one. */
export async function verifyTensor(
  path: string,
  tensor: Tensor,
  reader: PieceReader,
  onBytes: (count: number) => void = () => {},
): Promise<void> {
  if (tensor.checksum === undefined) return onBytes(tensor.byteLength);
  await readTensor(path, tensor, reader, ({ length }) => onBytes(length));
}
