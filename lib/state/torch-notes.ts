/**
 * What PyTorch's state_dict has no place for, under keys of our own in its parameter groups: load_state_dict and
 * state_dict keep what they do not know there, and torch.load(weights_only=True) takes numbers and strings.
 */

import type { Counters } from "../engine.js";
import { accumulationSteps } from "../hyper.js";
import type { Checkpoint, Tensor } from "./checkpoint.js";
import { readCount } from "./counts.js";
import { CheckpointError } from "./errors.js";
import { roleNames, stepName } from "./names.js";
import { PickleFloat } from "./pickle-writer.js";
import { type TorchGroup, torchOptions } from "./torch-groups.js";

const prefix = "fused_adamw_";
/** In the first group: the counts of the optimizer. */
const counterKeys = {
  steps: `${prefix}steps`,
  skippedSteps: `${prefix}skipped_steps`,
  consecutiveSkips: `${prefix}consecutive_skips`,
  lossScale: `${prefix}loss_scale`,
  growthCounter: `${prefix}growth_counter`,
} as const satisfies Record<keyof Counters, string>;
/** In the first group: the sum of the parameters' counts of updates then. PyTorch may have gone on since. */
const updatesKey = `${prefix}updates`;
/** In the first group: how many gradients of a window the accumulators hold. */
const accumulatedKey = `${prefix}accumulated`;
/** In the first group: what the user had saved with it. */
const metadataKey = `${prefix}metadata`;
/** In groups whose rate is a multiple of the optimizer's: that rate, and how many times it is taken. */
export const rateKey = `${prefix}learning_rate`;
export const multiplierKey = `${prefix}learning_rate_multiplier`;

type Group = ReadonlyMap<unknown, unknown>;

/** Whether a loss scaler was around the optimizer. */
export function isScaled(group: Group | undefined): boolean {
  return group?.has(counterKeys.lossScale) ?? false;
}

/** For the first group. */
export async function checkpointNotes(checkpoint: Checkpoint, reader: string): Promise<[string, unknown][]> {
  const { counters, optimizer, isConfigPartial = false, metadata, path } = checkpoint;
  // Everybody else's loss scale is configuration.
  const hasScale = isConfigPartial || optimizer?.class_name === "LossScaleOptimizer";
  const known = Object.entries(counters).filter(
    ([name]) => hasScale || (name !== "lossScale" && name !== "growthCounter"),
  );
  const notes: [string, unknown][] = known.map(([name, value]) => [
    counterKeys[name as keyof Counters],
    name === "lossScale" ? new PickleFloat(value) : value,
  ]);
  if (counters.steps !== undefined) {
    const window = accumulationSteps(torchOptions(checkpoint, reader));
    notes.push([updatesKey, await sumOfUpdates(path, checkpoint.tensors.values())]);
    notes.push([accumulatedKey, counters.steps % window]);
  }
  if (Object.keys(metadata).length > 0) notes.push([metadataKey, new Map(Object.entries(metadata))]);
  return notes;
}

/** For a group. */
export function rateNotes({ rate, multiplier }: TorchGroup): [string, unknown][] {
  if (multiplier === 1) return [];
  return [
    [rateKey, new PickleFloat(rate)],
    [multiplierKey, new PickleFloat(multiplier)],
  ];
}

/** The counts in the first group of a file whose state is `tensors`. @throws CHECKPOINT */
export async function readCounters(
  path: string,
  group: Group | undefined,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<Partial<Counters>> {
  if (!group?.has(counterKeys.steps)) return {};
  const number = (key: string): number | undefined => {
    const value = group.get(key);
    if (value === undefined || typeof value === "number") return value;
    throw new CheckpointError(path, "expected a number", { key });
  };
  const entries = Object.entries(counterKeys).map(([name, key]) => [name, number(key)]);
  const counters: Partial<Counters> = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  if (number(updatesKey) === (await sumOfUpdates(path, tensors.values()))) return counters;
  const accumulated = number(accumulatedKey) ?? 0;
  if (accumulated > 0) {
    const problem = `PyTorch went on from a state that held ${accumulated} gradients of an accumulation window, which it knows nothing of: let it go on from a state between two windows`;
    throw new CheckpointError(path, problem, { key: accumulatedKey });
  }
  // PyTorch's own updates are counted in the parameters' steps only.
  const { steps: _, consecutiveSkips: __, ...kept } = counters;
  return kept;
}

/** @throws CHECKPOINT */
export function readMetadata(path: string, group: Group | undefined): Record<string, string> {
  const metadata = group?.get(metadataKey) ?? new Map();
  const isText = (value: unknown) => typeof value === "string";
  if (metadata instanceof Map && [...metadata].flat().every(isText)) return Object.fromEntries(metadata);
  throw new CheckpointError(path, "expected a dict of strings", { key: metadataKey });
}

async function sumOfUpdates(path: string, tensors: Iterable<Tensor>): Promise<number> {
  let sum = 0;
  for (const tensor of tensors) {
    if (tensor.name.endsWith(`.${roleNames[stepName]}`)) sum += await readCount(path, tensor);
  }
  return sum;
}
