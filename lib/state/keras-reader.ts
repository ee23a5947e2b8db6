/** Optimizer states in Keras' `.keras` and `.weights.h5` files. */

import type { Counters } from "../engine.js";
import type { SerializedObject } from "../keras-object.js";
import type { ByteSource } from "./byte-file.js";
import type { Checkpoint, StoredParameter, Tensor } from "./checkpoint.js";
import { dtypeOf } from "./dtypes.js";
import { CheckpointError, UnsaidError } from "./errors.js";
import { H5Process, type H5Variable } from "./h5-process.js";
import { readKerasConfig, withWeightsFile } from "./keras-files.js";
import {
  hasRateVariable,
  innerGroup,
  kerasLayout,
  type LayoutOptions,
  layoutOptions,
  ownGroup,
  scalerAt,
} from "./keras-layout.js";
import { type KerasVariables, readVariables } from "./keras-variables.js";
import { stepName, tensorName } from "./names.js";
import { memoryTensor } from "./optimizer-state.js";
import type { ZipEntry } from "./zip-reader.js";

export const kerasFormat = "keras";

export interface KerasOptions {
  /** The parameters in Keras' order. */
  readonly names?: readonly string[] | undefined;
  /** For files without a configuration. */
  readonly layout?: (LayoutOptions & { readonly names: readonly string[] }) | undefined;
  /** Without the names or the options, give Keras' variables under their numbers. @default false */
  readonly numbered?: boolean | undefined;
}

/**
 * Takes over the source, whose archive has these entries; null for an HDF5 file.
 *
 * @throws CHECKPOINT, MISSING_PACKAGE
 */
export async function openKeras(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry> | null,
  { layout, names = layout?.names, numbered = false }: KerasOptions,
): Promise<Checkpoint> {
  const { path } = source;
  try {
    const config = entries && (await readKerasConfig(path, entries));
    const options = config ? layoutOptions(path, config) : layout;
    if (numbered && !(names && options)) return describeNumbered(path, await readFrom(source, entries), config);
    if (!names)
      throw new UnsaidError(path, "names", "Keras' variables have numbers only, and it does not say the names");
    if (!options) throw new UnsaidError(path, "options", "it does not say the options of its optimizer");
    const variables = await readFrom(source, entries);
    return describe(path, variables, names, options, config);
  } finally {
    await source.close();
  }
}

async function readFrom(source: ByteSource, entries: ReadonlyMap<string, ZipEntry> | null): Promise<KerasVariables> {
  return withWeightsFile(source, entries, async (file, size) => {
    const library = await H5Process.start(source.path);
    try {
      return await readVariables(library, source.path, file, size * 2);
    } finally {
      library.close();
    }
  });
}

/** The one element of a scalar. @throws CHECKPOINT */
function scalar(path: string, variables: readonly H5Variable[], place: number): number {
  const { dtype, shape, bytes } = variables[place] ?? { dtype: "", shape: [0], bytes: new Uint8Array() };
  const get = dtypeOf(dtype)?.get;
  if (shape.length > 0 || !get) throw new CheckpointError(path, "expected a number", { key: `${ownGroup}/${place}` });
  return get(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

/** A scalar of a loss scaler that is around the optimizer. */
function scalerCounters(path: string, { own, inner }: KerasVariables): Partial<Counters> {
  if (!inner) return {};
  return { lossScale: scalar(path, own, scalerAt.lossScale), growthCounter: scalar(path, own, scalerAt.growthCounter) };
}

/** For looking at a file: what is the same in all of them is known, the rest has its place in the file for a name. */
function describeNumbered(path: string, variables: KerasVariables, config: SerializedObject | null): Checkpoint {
  const { own, inner } = variables;
  const scalars = inner ?? own;
  const list = (group: string, members: readonly H5Variable[]) =>
    members.map(({ dtype, shape, bytes }, place) => memoryTensor(`${group}/${place}`, dtype, shape, bytes));
  const tensors = [...list(ownGroup, own), ...list(innerGroup, inner ?? [])];
  return {
    path,
    format: kerasFormat,
    optimizer: config,
    learningRate: config && hasRateVariable(config) ? scalar(path, scalars, 1) : null,
    counters: { steps: scalar(path, scalars, 0), ...scalerCounters(path, variables) },
    parameters: [],
    isNumbered: true,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    metadata: {},
    close: async () => {},
  };
}

function describe(
  path: string,
  { own, inner }: KerasVariables,
  names: readonly string[],
  options: LayoutOptions,
  config: SerializedObject | null,
): Checkpoint {
  const variables = inner ?? own;
  const { learningRate, slots } = kerasLayout(path, options, names, variables.length);
  const steps = scalar(path, variables, 0);
  const updates = Math.floor(steps / (options.gradientAccumulationSteps || 1));
  const tensors = new Map<string, Tensor>();
  for (const name of names) {
    const step = tensorName(name, stepName);
    tensors.set(step, memoryTensor(step, "F64", [], new Uint8Array(Float64Array.of(updates).buffer)));
  }
  for (const [place, name] of slots) {
    const { dtype, shape, bytes } = variables[place] as H5Variable;
    tensors.set(name, memoryTensor(name, dtype, shape, bytes));
  }
  const shapeOf = (name: string) => tensors.get(tensorName(name, "moment1"))?.shape ?? [];
  const parameters = names.map((name): StoredParameter => ({ name, shape: shapeOf(name), frozen: false }));
  return {
    path,
    format: kerasFormat,
    optimizer: config,
    // compile() wraps the optimizer of a mixed_float16 model and writes the configuration without the wrapper.
    isConfigPartial: inner !== null && config?.class_name !== "LossScaleOptimizer",
    hasLearningRate: config === null ? learningRate !== undefined : undefined,
    hasLossScale: inner !== null,
    learningRate: learningRate === undefined ? null : scalar(path, variables, learningRate),
    counters: { steps, ...scalerCounters(path, { own, inner }) },
    parameters,
    tensors,
    metadata: {},
    close: async () => {},
  };
}
