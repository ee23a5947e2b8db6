/** Comparing a tensor with its checksum. */

import type { Tensor } from "./checkpoint.js";
import { Checksum } from "./checksum.js";
import { CheckpointError } from "./errors.js";
import type { PieceReader } from "./pieces.js";

/** Reads a tensor and compares its checksum, where the format has one. */
export async function verifyTensor(
  path: string,
  tensor: Tensor,
  reader: PieceReader,
  onPiece: (bytes: number) => void = () => {},
): Promise<void> {
  if (tensor.checksum === undefined) return onPiece(tensor.byteLength);
  const checksum = new Checksum();
  await reader.each(tensor, (piece) => {
    checksum.update(piece);
    onPiece(piece.length);
  });
  if (checksum.text !== tensor.checksum) {
    const problem = `checksum ${checksum.text} where ${tensor.checksum} is expected: the data is damaged`;
    throw new CheckpointError(path, problem, { key: tensor.name, ...(tensor.offset && { offset: tensor.offset }) });
  }
}
