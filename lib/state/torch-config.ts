/** The options in PyTorch's parameter groups, in the keys of our own configuration. */

import { kerasOptimizers, type SerializedObject } from "../keras-object.js";
import type { Checkpoint } from "./checkpoint.js";
import { dtypeOf } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import { exactGroup } from "./exact-groups.js";
import { adamConfig } from "./keras-layout.js";
import { isSameRate } from "./parameter-settings.js";
import type { PickleDict } from "./pickle-values.js";
import { isScaled, multiplierKey, rateKey } from "./torch-notes.js";
import { isTensor, type Storages, torchTensor } from "./torch-tensors.js";

/** A parameter group and the names of its parameters. */
export interface NamedGroup {
  readonly options: PickleDict;
  readonly names: readonly string[];
}

/** The first group's settings are the optimizer's; the others' are groups that match their parameters' names. */
export function configOf(groups: readonly NamedGroup[], multipliers: readonly number[]): SerializedObject {
  const dicts = groups.map(({ options }) => options);
  const all = dicts.map(settingsOf);
  const base = all[0] ?? {};
  const isL2 = dicts.some((group) => group.get("decoupled_weight_decay") === false && group.get("weight_decay") !== 0);
  const entries = groups.flatMap(({ names }, i) => {
    const settings = Object.entries(all[i] ?? {}).filter(([key, value]) => value !== base[key as keyof typeof base]);
    const multiplier = multipliers[i] ?? 1;
    if (multiplier !== 1) settings.push(["learning_rate_multiplier", multiplier]);
    return names.length > 0 && settings.length > 0 ? [exactGroup(names, Object.fromEntries(settings))] : [];
  });
  const config = {
    formula: "torch",
    ...base,
    amsgrad: shared(dicts, "amsgrad"),
    // Absent where it is the default, as in our own configurations.
    maximize: shared(dicts, "maximize") || undefined,
    groups: entries.length > 0 ? entries : undefined,
    // Weight decay in the gradient, which there is no option for here.
    ...(isL2 && { decoupled_weight_decay: false }),
  };
  const own = { module: kerasOptimizers, class_name: "AdamW", config, registered_name: null };
  if (!isScaled(dicts[0])) return own;
  return { ...own, class_name: "LossScaleOptimizer", config: { inner_optimizer: own } };
}

/** What groups here can set too. */
function settingsOf(group: PickleDict): Record<string, unknown> {
  const pair = group.get("betas");
  const [beta1, beta2] = Array.isArray(pair) ? pair : [];
  return {
    weight_decay: plain(group.get("weight_decay")),
    beta_1: plain(beta1),
    beta_2: plain(beta2),
    epsilon: plain(group.get("eps")),
  };
}

/** Whatever no hyper-parameter can be is one that differs. */
function plain(value: unknown): unknown {
  const isPlain = value === undefined || value === null || typeof value === "number" || typeof value === "boolean";
  return isPlain ? value : "something else than a number";
}

/** What groups here cannot set: the value of all groups; a list of the values where they differ, which no option is. */
function shared(groups: readonly PickleDict[], key: "amsgrad" | "maximize"): unknown {
  const values = [...new Set(groups.map((group) => plain(group.get(key))))];
  return values.length > 1 ? values : values[0];
}

/** Refuses a checkpoint whose groups differ in what groups here cannot set. @throws CHECKPOINT */
export function checkShared({ path, optimizer }: Checkpoint): void {
  const config = optimizer ? adamConfig(optimizer) : {};
  const mixed = ["amsgrad", "maximize"].filter((key) => Array.isArray(config[key]));
  if (mixed.length === 0) return;
  const problem = `its parameter groups differ in ${mixed.join(" and ")}, which all parameters have in common here`;
  throw new CheckpointError(path, problem, { key: "param_groups" });
}

export interface Rates {
  /** The optimizer's own; null: some group's is no number. */
  readonly learningRate: number | null;
  /** How many times each group takes it. */
  readonly multipliers: readonly number[];
}

/**
 * The optimizer's own rate is the one that we wrote down, or else that of the first group which is not frozen by a rate
 * of 0; each group's is a multiple of it.
 *
 * @throws CHECKPOINT
 */
export async function ratesOf(storages: Storages, groups: readonly PickleDict[]): Promise<Rates> {
  const rates: { lr: number; multiplier: number; saved: number }[] = [];
  for (const group of groups) {
    const [rate, multiplier = 1, saved = rate] = ["lr", multiplierKey, rateKey].map((key) => group.get(key));
    const lr = isTensor(rate) ? await scalar(storages, rate) : rate;
    if (typeof lr !== "number" || typeof multiplier !== "number") return { learningRate: null, multipliers: [] };
    rates.push({ lr, multiplier, saved: typeof saved === "number" ? saved : lr });
  }
  const plainRates = rates.filter(({ multiplier }) => multiplier === 1);
  const first = plainRates.find(({ lr }) => lr !== 0) ?? plainRates[0] ?? rates[0];
  if (!first) return { learningRate: null, multipliers: [] };
  const own = first.saved * first.multiplier === first.lr ? first.saved : first.lr / first.multiplier;
  const multipliers = rates.map(({ lr, multiplier }) => {
    const isNoted = multiplier === 1 ? lr === own : isSameRate(own * multiplier, lr);
    return isNoted || own === 0 ? multiplier : quotient(lr, own);
  });
  return { learningRate: own, multipliers };
}

/** The multiplier that gives `rate` exactly, where there is one: the short one first. */
function quotient(rate: number, own: number): number {
  const divided = rate / own;
  const near = [Number(divided.toPrecision(12)), divided, divided * (1 + 2 ** -52), divided * (1 - 2 ** -53)];
  return near.find((multiplier) => own * multiplier === rate) ?? divided;
}

/** The rate of an optimizer made with lr=torch.tensor(…). */
async function scalar(storages: Storages, call: Parameters<typeof torchTensor>[1]): Promise<number> {
  const tensor = await torchTensor(storages, call, "lr");
  const get = dtypeOf(tensor.dtype)?.get;
  if (tensor.shape.length > 0 || !get) throw new CheckpointError(storages.path, "expected a number", { key: "lr" });
  const bytes = new Uint8Array(tensor.byteLength);
  await tensor.read(0, bytes);
  return get(new DataView(bytes.buffer), 0);
}
