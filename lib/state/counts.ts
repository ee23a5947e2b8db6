/** Counts that formats keep as tensors of one element, whatever type they have there. */

import { integerFrom } from "../validate.js";
import type { Tensor } from "./checkpoint.js";
import { dtypeOf } from "./dtypes.js";
import { CheckpointError } from "./errors.js";

const count = integerFrom(0);

/** @throws CHECKPOINT for anything but an integer ≥ 0 */
export async function readCount(path: string, tensor: Tensor): Promise<number> {
  if (tensor.shape.length > 0) throw new CheckpointError(path, "a count that is no scalar", { key: tensor.name });
  const bytes = new Uint8Array(tensor.byteLength);
  await tensor.read(0, bytes);
  const value = dtypeOf(tensor.dtype)?.get?.(new DataView(bytes.buffer), 0);
  if (!count.accepts(value)) throw new CheckpointError(path, `expected ${count.expected}`, { key: tensor.name });
  return value as number;
}
