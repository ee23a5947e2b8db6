/** Saving an optimizer. */

import { signalKind } from "../abort-signal.js";
import { unexpected } from "../errors.js";
import { type Fields, resolveFields } from "../fields.js";
import type { SerializedObject } from "../keras-object.js";
import { boolean, integerFrom, isRecord, type Kind, oneOf, parse } from "../validate.js";
import type { Checkpoint, Tensor, TransferOptions } from "./checkpoint.js";
import { checkSignal } from "./errors.js";
import { type FilePath, parsePath } from "./file-path.js";
import { formatOf, isShardIndex, shardedFormats, type WritableFormat, writableFormats } from "./format-names.js";
import { writeCheckpoint } from "./formats.js";
import { ownFormat } from "./metadata.js";
import {
  configOf,
  liveSlots,
  liveValues,
  type OptimizerState,
  stepTensors,
  storedParameters,
} from "./optimizer-state.js";
import { rotate } from "./rotation.js";
import { snapshotOf } from "./snapshot.js";
import { callbackKind } from "./transfer-options.js";

export interface SaveOptions extends TransferOptions {
  /**
   * "fused-adamw": our own. "torch": what PyTorch's load_state_dict takes. "keras": into a model that Keras has saved
   * at the path. "tfjs": a folder with a model.json and shards, into the LayersModel that is there or on its own.
   * @default by the extension: .pt is PyTorch's, .keras and .weights.h5 are Keras', .json is TensorFlow.js', .npz and
   *   others of formats that are not written are errors, and the rest is ours
   */
  format?: WritableFormat | undefined;
  /** Save the parameters too, frozen ones included. @default false */
  parameters?: boolean;
  /**
   * "copy": from one copy of the state, which is kept for the next save, so that steps go on. "stream": from the state
   * itself with 8 MiB of memory (up to 40 for an archive); steps throw BUSY until the promise settles. @default "copy"
   */
  snapshot?: "copy" | "stream";
  /** Write a folder of files of at most about this many bytes with an index, instead of one file. */
  shardBytes?: number | undefined;
  /** Keep so many files in all: what was at the path before becomes `<path>.1`, that `<path>.2` … @default 1 */
  keep?: number;
  /** Anything to find again in the report of `load`: an epoch, a seed, a position in the data. @default {} */
  metadata?: Readonly<Record<string, string>>;
}

export interface SaveReport {
  readonly path: string;
  /** Bytes written. */
  readonly bytes: number;
  /** Tensors written: those of our own format, whatever the file's. */
  readonly tensors: number;
  /** What the format has no place for, such as the parameters in PyTorch's state_dict, a sentence each. */
  readonly leftOut: readonly string[];
  /** Milliseconds in which no step could run. */
  readonly stallMs: number;
  /** Milliseconds until the file was safe on its disk. */
  readonly totalMs: number;
}

const metadataText: Kind<string> = {
  expected: "a string, such as String() or JSON.stringify() gives,",
  accepts: (value) => typeof value === "string",
};

/** The kind of the option `metadata`. */
export const metadataKind: Kind<Readonly<Record<string, string>>> = {
  expected: "an object of strings",
  accepts: isRecord,
  copy(value, name) {
    for (const [key, entry] of Object.entries(value)) parse(metadataText, entry, `${name}.${key}`);
    return Object.freeze({ ...value });
  },
};

const saveFields: Fields<SaveOptions> = {
  format: { key: "format", kind: oneOf(...writableFormats), default: undefined },
  parameters: { key: "parameters", kind: boolean, default: false },
  snapshot: { key: "snapshot", kind: oneOf("copy", "stream"), default: "copy" },
  shardBytes: { key: "shard_bytes", kind: integerFrom(1), default: undefined },
  keep: { key: "keep", kind: integerFrom(1), default: 1 },
  metadata: { key: "metadata", kind: metadataKind, default: {} },
  progress: { key: "progress", kind: callbackKind, default: undefined },
  signal: { key: "signal", kind: signalKind, default: undefined },
};

type ResolvedSaveOptions = SaveOptions & Required<Pick<SaveOptions, "parameters" | "snapshot" | "keep" | "metadata">>;

/** @throws INVALID_ARGUMENT */
function resolveSave(file: FilePath, given: SaveOptions): ResolvedSaveOptions & { readonly path: string } {
  const options = resolveFields(saveFields, given, "the options of save") as ResolvedSaveOptions;
  const path = parsePath(file);
  if (isShardIndex(path)) throw unexpected("the folder of shards instead of its index,", path);
  const { shardBytes, keep, format = formatOf(path) } = options;
  if (shardBytes !== undefined && !shardedFormats.includes(format)) {
    throw unexpected(`no shardBytes for the format ${format}, which is one file,`, shardBytes);
  }
  if (keep > 1 && (shardBytes !== undefined || format === "tfjs")) {
    throw unexpected("keep: 1 for a folder of files (CheckpointManager keeps several folders)", keep);
  }
  return { ...options, format, path };
}

/**
 * Writes the optimizer's state to `file`. Until the last moment what was there stays whole, and then the new file is.
 *
 * @throws INVALID_ARGUMENT, FILE, ABORTED, BUSY, NOT_SERIALIZABLE
 */
export async function saveOptimizer(
  state: OptimizerState,
  file: FilePath,
  given: SaveOptions = {},
): Promise<SaveReport> {
  const started = performance.now();
  const { path, ...options } = resolveSave(file, given);
  checkSignal(options.signal, "Saving");
  const optimizer = heldConfig(state);
  const source = options.snapshot === "copy" ? copied(state, options.parameters) : streamed(state, options.parameters);
  const copiedAt = performance.now();
  try {
    const { format, shardBytes, progress, signal, keep } = options;
    const checkpoint = describeOptimizer(state, path, optimizer, source.tensors, options.metadata);
    const beforeRename = async () => {
      checkSignal(signal, "Saving");
      await rotate(path, keep);
    };
    const written = await writeCheckpoint(path, checkpoint, { format, shardBytes, progress, signal, beforeRename });
    const totalMs = performance.now() - started;
    const stallMs = options.snapshot === "copy" ? copiedAt - started : totalMs;
    return { path, ...written, stallMs, totalMs };
  } finally {
    source.release();
  }
}

/** Asked for with everything else kept out: the caller's schedules and classes say it, which can run any code. */
function heldConfig(state: OptimizerState): SerializedObject | null {
  const release = state.hold("A save is asking for the optimizer's configuration");
  try {
    return configOf(state);
  } finally {
    release();
  }
}

interface Source {
  readonly tensors: readonly Tensor[];
  release(): void;
}

function copied(state: OptimizerState, withValues: boolean): Source {
  const snapshot = snapshotOf(state.engine);
  return { tensors: snapshot.take(state, withValues), release: () => snapshot.release() };
}

function streamed(state: OptimizerState, withValues: boolean): Source {
  const release = state.hold('The state is being saved with snapshot: "stream": await it first');
  try {
    const values = withValues ? liveValues(state) : [];
    return { tensors: [...stepTensors(state), ...liveSlots(state), ...values], release };
  } catch (error) {
    release();
    throw error;
  }
}

/** The optimizer's state as a checkpoint, its numbers in `tensors`. */
function describeOptimizer(
  state: OptimizerState,
  path: string,
  optimizer: SerializedObject | null,
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>>,
): Checkpoint {
  return {
    path,
    format: ownFormat,
    optimizer,
    learningRate: state.learningRate(),
    counters: state.engine.counters,
    parameters: storedParameters(state),
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    metadata,
    close: async () => {},
  };
}
