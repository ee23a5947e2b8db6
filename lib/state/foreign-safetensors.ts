/** Optimizer state that another program wrote as safetensors, its tensors named as ours: `<parameter>.<slot>`. */

import type { Checkpoint, StoredParameter } from "./checkpoint.js";
import { CheckpointError } from "./errors.js";
import { splitTensorName, stepName } from "./names.js";
import type { SafetensorsFile } from "./safetensors-reader.js";

/** Takes over the file. @throws CHECKPOINT when no tensor is named like state */
export function openForeignSafetensors({ path, metadata, tensors, close }: SafetensorsFile): Checkpoint {
  const parameters = new Map<string, StoredParameter>();
  for (const { name, shape } of tensors) {
    const parts = splitTensorName(name);
    if (parts && parts.role !== stepName)
      parameters.set(parts.parameter, { name: parts.parameter, shape, frozen: false });
  }
  if (parameters.size === 0) {
    throw new CheckpointError(path, "no optimizer state: no tensor is named <parameter>.exp_avg or the like");
  }
  return {
    path,
    format: "safetensors",
    optimizer: null,
    learningRate: null,
    counters: {},
    parameters: [...parameters.values()],
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    metadata,
    close,
  };
}
