/** The GPUs of a benchmark. */

import { deviceFacts, devices } from "../../device.js";
import type { DeviceFacts } from "../../native.js";

export interface GpuRecord extends DeviceFacts {
  readonly device: string;
  readonly model: string;
}

/** Those among the devices of a benchmark. @throws CUDA */
export function gpusOf(names: readonly string[]): GpuRecord[] {
  return devices()
    .filter(({ name, kind }) => kind !== "cpu" && names.includes(name))
    .map(({ name, model }) => ({ device: name, model, ...deviceFacts(name) }));
}
