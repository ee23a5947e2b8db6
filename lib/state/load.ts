/** Loading a checkpoint into an optimizer: all of it is checked before any of it is used. */

import { signalKind } from "../abort-signal.js";
import { AdamWError } from "../errors.js";
import { type Fields, resolveFields } from "../fields.js";
import { boolean, isRecord, type Kind, oneOf, text } from "../validate.js";
import type { Checkpoint, TransferOptions } from "./checkpoint.js";
import { type FilePath, parsePath } from "./file-path.js";
import { openCheckpoint } from "./formats.js";
import { planLoad } from "./load-plan.js";
import type { NotLoaded } from "./misfits.js";
import { tensorName } from "./names.js";
import { newAverages } from "./new-averages.js";
import type { OptimizerState } from "./optimizer-state.js";
import type { Rename } from "./rename.js";
import { restoreCounts, verifyCounts } from "./restored-counts.js";
import { callbackKind } from "./transfer-options.js";
import { Transfers } from "./transfers.js";

export interface LoadOptions extends TransferOptions {
  /**
   * "strict": everything must fit. "partial": what fits is loaded, the report says what did not. A parameter's count
   * and its moments are loaded together or not at all. @default "strict"
   */
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
  expected: "an object of names or a function",
  accepts: (value) => typeof value === "function" || (isRecord(value) && Object.values(value).every(text.accepts)),
};

const names: Kind<readonly string[]> = {
  expected: "an array of non-empty strings",
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
 * Sets the optimizer's state from a file. What could not be made good again is read twice, the first time to be sure
 * of it: parameters, and the state of an optimizer that has taken steps. A new optimizer's state, which is zeros, is
 * read once, and is zeros again should anything be wrong with the file.
 *
 * @throws CHECKPOINT, FILE, ABORTED, BUSY, INVALID_ARGUMENT; nothing was changed then, unless the message says that the
 *   file failed when it was read for the second time, and then steps throw until a load succeeds
 */
export async function loadOptimizer(
  state: OptimizerState,
  file: FilePath,
  given: LoadOptions = {},
): Promise<LoadReport> {
  const options = resolveFields(loadFields, given, "the options of load") as ResolvedLoadOptions;
  const path = parsePath(file);
  const release = state.hold("A checkpoint is being loaded: await it first");
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

/** The checkpoint with the learning rate that the groups here take multiples of. */
function atOwnRate(checkpoint: Checkpoint, factor: number): Checkpoint {
  const { learningRate } = checkpoint;
  return { ...checkpoint, learningRate: learningRate === null ? null : learningRate * factor };
}

async function loadFrom(
  state: OptimizerState,
  checkpoint: Checkpoint,
  options: ResolvedLoadOptions,
  release: ReturnType<OptimizerState["hold"]>,
): Promise<LoadReport> {
  const { path, format, metadata } = checkpoint;
  const plan = planLoad(state, checkpoint, options);
  const counts = await verifyCounts(state, atOwnRate(checkpoint, plan.rateFactor), plan.transfers);
  const transfers = new Transfers(state, path, plan.transfers, options);
  await transfers.verify();
  const copies = newAverages(state, plan.transfers, counts.steps);
  await transfers.fill();
  try {
    await transfers.replace();
    // Of the parameters as they are now that they are loaded.
    const averages = new Transfers(state, path, copies, {});
    await averages.fill();
    await averages.replace();
  } catch (error) {
    release("incomplete");
    const message = `${path} failed when it was read for the second time, so the state is incomplete: load again (${(error as Error).message})`;
    throw new AdamWError("CHECKPOINT", message, { cause: error });
  }
  state.engine.takeValues();
  restoreCounts(state, { ...counts, learningRate: options.config === "keep" ? null : counts.learningRate });
  release("whole");
  const loaded = plan.transfers.map(({ parameter, slot }) => tensorName(parameter.name, slot));
  // Readers keep what a file says in objects without a prototype; a copy has one, and `__proto__` stays a key of it.
  return { path, format, loaded, notLoaded: plan.notLoaded, metadata: { ...metadata } };
}
