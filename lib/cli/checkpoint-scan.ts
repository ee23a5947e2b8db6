/** Reading every byte of a checkpoint: checksums, and whether the numbers are finite. */

import type { Checkpoint, Tensor } from "../state/checkpoint.js";
import { dtypeOf, toFloat32 } from "../state/dtypes.js";
import { PieceReader } from "../state/pieces.js";
import { verifyTensor } from "../state/verify.js";
import { progressLine } from "./progress.js";

export interface TensorReport {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Of the file; null where the format has none. */
  readonly checksum: string | null;
  /** Elements that are NaN or infinite; null for types that cannot be read. */
  readonly nonFinite: number | null;
}

export function bytesOfTensors({ tensors }: Checkpoint): number {
  return [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** @throws CHECKPOINT at the first damaged tensor */
export async function scanCheckpoint(checkpoint: Checkpoint): Promise<TensorReport[]> {
  const line = progressLine("reading");
  const total = bytesOfTensors(checkpoint);
  const reader = new PieceReader();
  const reports: TensorReport[] = [];
  let done = 0;
  try {
    for (const tensor of checkpoint.tensors.values()) {
      await verifyTensor(checkpoint.path, tensor, reader);
      reports.push(await report(tensor, reader));
      done += tensor.byteLength;
      line.show({ done, total });
    }
  } finally {
    line.end();
  }
  return reports;
}

async function report(tensor: Tensor, reader: PieceReader): Promise<TensorReport> {
  const { name, dtype, shape, byteLength: bytes, checksum = null } = tensor;
  const type = dtypeOf(dtype);
  if (!type?.get) return { name, dtype, shape, bytes, checksum, nonFinite: null };
  let nonFinite = 0;
  await reader.each(tensor, (piece) => {
    for (const element of toFloat32(type, piece)) if (!Number.isFinite(element)) nonFinite += 1;
  });
  return { name, dtype, shape, bytes, checksum, nonFinite };
}
