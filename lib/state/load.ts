/** Loading a checkpoint into an optimizer: all of it is checked before any of it is used. */

import { AdamWError } from "../errors.js";
import { type Fields, resolveFields } from "../fields.js";
import { accumulationSteps } from "../hyper.js";
import { checkMemory, setElements } from "../memory.js";
import { boolean, integerFrom, isRecord, type Kind, nonNegative, oneOf, positive, text } from "../validate.js";
import type { Checkpoint, Tensor, TransferOptions } from "./checkpoint.js";
import { Checksum } from "./checksum.js";
import { readCount } from "./counts.js";
import { dtypeOf, toFloat32 } from "./dtypes.js";
import { CheckpointError, checkSignal } from "./errors.js";
import { openCheckpoint } from "./formats.js";
import { type LoadPlan, type NotLoaded, planLoad, type Transfer } from "./load-plan.js";
import { stepName, tensorName, valueName } from "./names.js";
import { floatsOf, type OptimizerState } from "./optimizer-state.js";
import { PieceReader } from "./pieces.js";
import type { Rename } from "./rename.js";
import { callbackKind, parsePath, signalKind } from "./transfer-options.js";
import { verifyTensor } from "./verify.js";

export interface LoadOptions extends TransferOptions {
  /** "strict": everything must fit. "partial": what fits is loaded, the report says what did not. @default "strict" */
  mode?: "strict" | "partial";
  /** "match": the options in the file must be the optimizer's. "keep": the optimizer keeps its own. @default "match" */
  config?: "match" | "keep";
  /** Names of parameters in the file → names in the optimizer. */
  rename?: Rename | undefined;
  /** Convert tensors of other types, rounding to float32. @default false */
  convert?: boolean;
  /** Load the parameters themselves. @default if the file has them */
  parameters?: boolean | undefined;
  /** For files without names: the parameters' names in the order of the file. */
  names?: readonly string[] | undefined;
}

export interface LoadReport {
  readonly path: string;
  readonly format: string;
  /** Tensors, by the names their parameters have here. */
  readonly loaded: readonly string[];
  readonly notLoaded: readonly NotLoaded[];
  /** What was saved with it. */
  readonly metadata: Readonly<Record<string, string>>;
}

const rename: Kind<Rename> = {
  expected: "an object of names, or a function",
  accepts: (value) => typeof value === "function" || (isRecord(value) && Object.values(value).every(text.accepts)),
};

const names: Kind<readonly string[]> = {
  expected: "an array of names",
  accepts: (value) => Array.isArray(value) && value.every(text.accepts),
};

const loadFields: Fields<LoadOptions> = {
  mode: { key: "mode", kind: oneOf("strict", "partial"), default: "strict" },
  config: { key: "config", kind: oneOf("match", "keep"), default: "match" },
  rename: { key: "rename", kind: rename, default: undefined },
  convert: { key: "convert", kind: boolean, default: false },
  parameters: { key: "parameters", kind: boolean, default: undefined },
  names: { key: "names", kind: names, default: undefined },
  progress: { key: "progress", kind: callbackKind, default: undefined },
  signal: { key: "signal", kind: signalKind, default: undefined },
};

type ResolvedLoadOptions = LoadOptions & Required<Pick<LoadOptions, "mode" | "config" | "convert">>;

/**
 * Sets the optimizer's state from a file.
 *
 * @throws CHECKPOINT, FILE, ABORTED, BUSY, INVALID_ARGUMENT; nothing was changed then, unless the message says that the
 *   file failed when it was read for the second time, and then steps throw until a load succeeds
 */
export async function loadOptimizer(state: OptimizerState, path: string, given: LoadOptions = {}): Promise<LoadReport> {
  const options = resolveFields(loadFields, given, "the options of load") as ResolvedLoadOptions;
  parsePath(path);
  const release = state.hold("A checkpoint is being loaded");
  try {
    const layout = { ...state.options, names: state.engine.trained.map(({ name }) => name) };
    const checkpoint = await openCheckpoint(path, { names: options.names, layout });
    try {
      return await loadFrom(state, checkpoint, options, release);
    } finally {
      await checkpoint.close();
    }
  } finally {
    release();
  }
}

async function loadFrom(
  state: OptimizerState,
  checkpoint: Checkpoint,
  options: ResolvedLoadOptions,
  release: ReturnType<OptimizerState["hold"]>,
): Promise<LoadReport> {
  const { path, format, metadata } = checkpoint;
  const plan = planLoad(state, checkpoint, options);
  const counts = await verify(state, checkpoint, plan, options);
  try {
    await transfer(state, plan, path);
  } catch (error) {
    release("incomplete");
    const message = `${path} failed when it was read for the second time, so the state is incomplete: load again (${(error as Error).message})`;
    throw new AdamWError("CHECKPOINT", message, { cause: error });
  }
  state.engine.takeValues();
  apply(state, { ...counts, learningRate: options.config === "keep" ? null : counts.learningRate });
  release("whole");
  const loaded = plan.transfers.map(({ parameter, slot }) => tensorName(parameter.name, slot));
  return { path, format, loaded, notLoaded: plan.notLoaded, metadata };
}

/** The state that is not tensors: everything that could be wrong with it is found here. */
interface Counts {
  readonly steps: number;
  readonly skippedSteps: number;
  readonly consecutiveSkips: number;
  readonly scaling: { readonly lossScale: number; readonly growthCounter: number } | undefined;
  readonly updates: Float64Array;
  readonly learningRate: number | null;
}

async function verify(
  state: OptimizerState,
  checkpoint: Checkpoint,
  { transfers }: LoadPlan,
  { progress, signal }: TransferOptions,
): Promise<Counts> {
  const { engine } = state;
  const reader = new PieceReader();
  const updates = engine.updates;
  const total = transfers.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
  let done = 0;
  for (const { tensor, parameter, slot } of transfers) {
    checkSignal(signal, "Loading");
    if (slot === stepName) updates[engine.trained.indexOf(parameter)] = await readCount(checkpoint.path, tensor);
    if (slot === valueName) checkMemory(parameter.value, `the value of ${parameter.name}`, parameter.length);
    await verifyTensor(checkpoint.path, tensor, reader, (bytes) => {
      checkSignal(signal, "Loading");
      done += bytes;
      progress?.({ done, total });
    });
  }
  return readCounts(state, checkpoint, updates);
}

const count = integerFrom(0);

function readCounts(state: OptimizerState, checkpoint: Checkpoint, updates: Float64Array): Counts {
  const { path, counters, learningRate, optimizer, isConfigPartial = false } = checkpoint;
  const read = <T extends string>(kind: Kind<number>, key: T, value: number | undefined, missing: number) => {
    if (value !== undefined && !kind.accepts(value))
      throw new CheckpointError(path, `expected ${kind.expected}`, { key });
    return value ?? missing;
  };
  // Formats without a count of calls have counts of updates only.
  const calls = updates.reduce((a, b) => Math.max(a, b), 0) * accumulationSteps(state.options);
  const saysScaled = optimizer === null || isConfigPartial || optimizer.class_name === "LossScaleOptimizer";
  const isScaled = state.dynamicLossScale && saysScaled;
  const own = state.engine.counters;
  return {
    steps: read(count, "steps", counters.steps, calls),
    skippedSteps: read(count, "skippedSteps", counters.skippedSteps, 0),
    consecutiveSkips: read(count, "consecutiveSkips", counters.consecutiveSkips, 0),
    scaling: isScaled
      ? {
          lossScale: read(positive, "lossScale", counters.lossScale, own.lossScale),
          growthCounter: read(count, "growthCounter", counters.growthCounter, 0),
        }
      : undefined,
    updates,
    learningRate: learningRate === null ? null : read(nonNegative, "learning_rate", learningRate, 0),
  };
}

/** Reads everything once more, into its place. The file was good a moment ago, so nothing should go wrong any more. */
async function transfer(state: OptimizerState, { transfers }: LoadPlan, path: string): Promise<void> {
  const reader = new PieceReader();
  for (const { tensor, ...place } of transfers) {
    if (place.slot === stepName) continue;
    const checksum = new Checksum();
    await reader.each(tensor, (piece, start) => {
      checksum.update(piece);
      put(state, place, tensor, piece, start);
    });
    if (tensor.checksum !== undefined && checksum.text !== tensor.checksum) {
      throw new CheckpointError(path, "the data changed while it was being read", { key: tensor.name });
    }
  }
}

function put(
  { engine }: OptimizerState,
  { parameter, slot }: Pick<Transfer, "parameter" | "slot">,
  tensor: Tensor,
  piece: Uint8Array,
  start: number,
): void {
  const dtype = dtypeOf(tensor.dtype);
  if (!dtype) return;
  const elements = dtype.name === "F32" ? floatsOf(piece) : toFloat32(dtype, piece);
  if (slot === valueName) setElements(parameter.value, elements, start / dtype.bytes);
  else if (slot !== stepName) engine.writeSlot(parameter, slot, elements, start / dtype.bytes);
}

/** What cannot fail any more. */
function apply(state: OptimizerState, { scaling, updates, learningRate, ...counts }: Counts): void {
  const { engine } = state;
  engine.counters = { ...engine.counters, ...counts, ...scaling };
  engine.updates = updates;
  if (learningRate !== null && state.learningRate() !== null) state.setLearningRate(learningRate);
}
