/** What of a checkpoint goes where in an optimizer, decided and checked before anything is changed. */

import { dtypes } from "../dtypes.js";
import { AdamWError, some } from "../errors.js";
import { dtypeOf as memoryDtype } from "../memory.js";
import type { Parameter } from "../parameters.js";
import type { SlotName } from "../slots.js";
import { type Checkpoint, isScaled, type Tensor } from "./checkpoint.js";
import { compareConfigs } from "./config-differences.js";
import { dtypeOf } from "./dtypes.js";
import { withoutHalves } from "./halves.js";
import { describeMisfits, type Misfit, type NotLoaded } from "./misfits.js";
import { type Role, splitTensorName, stepName, tensorName, valueName } from "./names.js";
import { type OptimizerState, stateSlots } from "./optimizer-state.js";
import { namer, type Rename, renameTensors } from "./rename.js";

export interface PlanOptions {
  readonly mode: "strict" | "partial";
  readonly config: "match" | "keep";
  readonly convert: boolean;
  readonly rename?: Rename | undefined;
  /** Undefined: if the file has them. */
  readonly parameters?: boolean | undefined;
}

/** One tensor and where it goes. */
export type Transfer =
  | { readonly tensor: Tensor; readonly parameter: Parameter; readonly slot: SlotName }
  | { readonly tensor: Tensor; readonly parameter: Parameter; readonly slot: typeof valueName }
  | { readonly tensor: Tensor; readonly parameter: Parameter; readonly slot: typeof stepName };

export interface LoadPlan {
  readonly transfers: readonly Transfer[];
  readonly notLoaded: readonly NotLoaded[];
  /** Times how much the file's learning rate is the optimizer's. */
  readonly rateFactor: number;
}

/** Of options that differ, an error names so many. */
const mostOptions = 8;

/** @throws CHECKPOINT saying what does not fit, unless the mode is "partial" */
export function planLoad(state: OptimizerState, checkpoint: Checkpoint, options: PlanOptions): LoadPlan {
  const stored = renameTensors(checkpoint, options.rename);
  const { differences, rateFactor } =
    options.config === "match"
      ? compareConfigs(state, checkpoint, namer(options.rename))
      : { differences: [], rateFactor: 1 };
  if (differences.length > 0) {
    const rest = 'give the optimizer the same options, or load with config: "keep" to go on with its own';
    throw new AdamWError(
      "CHECKPOINT",
      `${checkpoint.path}: other options than the optimizer's: ${some(differences, mostOptions)}; ${rest}`,
    );
  }
  const storedNames = new Set([...stored.keys()].map((name) => splitTensorName(name)?.parameter ?? name));
  const transfers: Transfer[] = [];
  const misfits: Misfit[] = [];
  const places = placesOf(state, stored, options.parameters);
  for (const { name, parameter, role } of places) {
    const tensor = stored.get(name);
    stored.delete(name);
    const expected = { shape: parameter.shape, dtype: storedAs(state, parameter, role) };
    const misfit = tensor
      ? mismatch(tensor, role, expected, options.convert)
      : { reason: "the file has no such tensor" };
    if (misfit === undefined) transfers.push({ tensor, parameter, slot: role } as Transfer);
    else misfits.push({ name, ...misfit });
  }
  misfits.push(...unused(stored, options));
  if (options.config === "match") misfits.push(...optionMisfits(state, checkpoint));
  if (misfits.length > 0 && options.mode === "strict") {
    const problems = describeMisfits(misfits, storedNames, new Set(state.engine.parameters.map(({ name }) => name)));
    const rest = 'nothing was changed; rename: … maps names, mode: "partial" loads what fits';
    throw new AdamWError("CHECKPOINT", `${checkpoint.path} does not fit the optimizer: ${problems}; ${rest}`);
  }
  const { transfers: whole, halves } = withoutHalves(transfers, misfits);
  const notLoaded = [...misfits, ...halves].map(({ name, reason }) => ({ name, reason }));
  return { transfers: whole, notLoaded, rateFactor };
}

/** Of what is an option here and only seen by the variables in some files. */
function optionMisfits(state: OptimizerState, checkpoint: Checkpoint): Misfit[] {
  const reasons = { learningRate: rateMismatch(state, checkpoint), lossScale: scaleMismatch(state, checkpoint) };
  return Object.entries(reasons).flatMap(([name, reason]) => (reason === undefined ? [] : [{ name, reason }]));
}

/** Files that say nothing of a loss scale say nothing against one either. */
function scaleMismatch({ lossScale }: OptimizerState, checkpoint: Checkpoint): string | undefined {
  if (isScaled(checkpoint) && lossScale === null) {
    return "the file has one and the optimizer none: put it into a LossScaleOptimizer";
  }
  const isLost = checkpoint.hasLossScale === false && lossScale !== null;
  return isLost
    ? "the optimizer has one and the file none: load into an AdamW without a LossScaleOptimizer"
    : undefined;
}

/** Where the format says options, they are compared instead. */
function rateMismatch(state: OptimizerState, { hasLearningRate }: Checkpoint): string | undefined {
  const isNumber = state.learningRate() !== null;
  if (hasLearningRate === undefined || hasLearningRate === isNumber) return undefined;
  const [number, schedule] = ["a number", "a schedule"];
  return hasLearningRate ? `${number} in the file and ${schedule} here` : `${schedule} in the file and ${number} here`;
}

interface Place {
  readonly name: string;
  readonly parameter: Parameter;
  readonly role: Role;
}

/** Everything the optimizer wants from a file that holds `stored`. */
function placesOf(state: OptimizerState, stored: ReadonlyMap<string, Tensor>, values: boolean | undefined): Place[] {
  const { engine } = state;
  const slots = stateSlots(state).map(({ name, parameter, slot }) => ({ name, parameter, role: slot }));
  const place = (role: Role) => (parameter: Parameter) => ({ name: tensorName(parameter.name, role), parameter, role });
  const steps = engine.trained.map(place(stepName));
  const wantsValues = values ?? [...stored.keys()].some((name) => splitTensorName(name)?.role === valueName);
  return [...steps, ...slots, ...(wantsValues ? engine.parameters.map(place(valueName)) : [])];
}

function unused(left: ReadonlyMap<string, Tensor>, options: PlanOptions): Misfit[] {
  return [...left.keys()]
    .filter((name) => options.parameters !== false || splitTensorName(name)?.role !== valueName)
    .map((name) => ({ name, reason: "the optimizer has no such tensor" }));
}

/** What the safetensors format calls the type that the optimizer has there. */
function storedAs({ engine }: OptimizerState, parameter: Parameter, role: Role): string {
  return dtypes[role === valueName ? memoryDtype(parameter.value) : engine.layout.state].stored;
}

function mismatch(
  tensor: Tensor,
  role: Role,
  expected: Pick<Tensor, "shape" | "dtype">,
  convert: boolean,
): Omit<Misfit, "name"> | undefined {
  const shape = role === stepName ? [] : expected.shape;
  if (tensor.shape.join() !== shape.join()) {
    const reason = `shape [${tensor.shape.join(", ")}] where [${shape.join(", ")}] is expected`;
    return { reason, shapes: [tensor.shape, shape] };
  }
  // Counts are integers whatever type they are stored in; that is checked when they are read.
  if (role === stepName || tensor.dtype === expected.dtype) return undefined;
  const converts = expected.dtype === "F32" && dtypeOf(tensor.dtype)?.get;
  if (!converts) return { reason: `type ${tensor.dtype}, which cannot become ${expected.dtype}` };
  if (convert) return undefined;
  return { reason: `type ${tensor.dtype} where ${expected.dtype} is expected; convert: true converts` };
}
