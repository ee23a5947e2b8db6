/** The options in PyTorch's parameter groups, in the keys of our own configuration. */

import { kerasOptimizers, type SerializedObject } from "../keras-object.js";
import { dtypeOf } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import type { PickleDict } from "./pickle-values.js";
import { isScaled, multiplierKey, rateKey } from "./torch-notes.js";
import { isTensor, type Storages, torchTensor } from "./torch-tensors.js";

/** What all groups agree on. */
export function configOf(groups: readonly PickleDict[]): SerializedObject {
  const betas = groups.map((group) => group.get("betas")).map((pair) => (Array.isArray(pair) ? pair : []));
  const beta = (i: number) => shared(betas.map((pair) => pair[i]));
  const option = (key: string) => shared(groups.map((group) => group.get(key)));
  const isL2 = groups.some((group) => group.get("decoupled_weight_decay") === false && group.get("weight_decay") !== 0);
  const config = {
    formula: "torch",
    weight_decay: option("weight_decay"),
    beta_1: beta(0),
    beta_2: beta(1),
    epsilon: option("eps"),
    amsgrad: option("amsgrad"),
    // Absent where it is the default, as in our own configurations.
    maximize: option("maximize") || undefined,
    // Weight decay in the gradient, which there is no option for here.
    ...(isL2 && { decoupled_weight_decay: false }),
  };
  const own = { module: kerasOptimizers, class_name: "AdamW", config, registered_name: null };
  if (!isScaled(groups[0])) return own;
  return { ...own, class_name: "LossScaleOptimizer", config: { inner_optimizer: own } };
}

/**
 * The value of a hyper-parameter, if all groups have the same; whatever no hyper-parameter can be is one that differs.
 */
function shared(values: readonly unknown[]): unknown {
  const [first, ...rest] = values;
  if (!rest.every((value) => value === first)) return undefined;
  const isPlain = first === undefined || first === null || typeof first === "number" || typeof first === "boolean";
  return isPlain ? first : "something else than a number";
}

/** PyTorch's schedulers multiply each group's rate by itself: so far do they drift apart. */
const rounding = 2 ** -48;

/**
 * The optimizer's own rate, of which each group's is a multiple; null where they are of no one rate.
 *
 * @throws CHECKPOINT
 */
export async function learningRateOf(storages: Storages, groups: readonly PickleDict[]): Promise<number | null> {
  const rates: { lr: number; multiplier: number; saved: number }[] = [];
  for (const group of groups) {
    const [rate, multiplier = 1, saved = rate] = ["lr", multiplierKey, rateKey].map((key) => group.get(key));
    const lr = isTensor(rate) ? await scalar(storages, rate) : rate;
    if (typeof lr !== "number" || typeof multiplier !== "number") return null;
    rates.push({ lr, multiplier, saved: typeof saved === "number" ? saved : lr });
  }
  const first = rates.find(({ multiplier }) => multiplier === 1) ?? rates[0];
  if (!first) return null;
  const own = first.saved * first.multiplier === first.lr ? first.saved : first.lr / first.multiplier;
  const agrees = rates.every(({ lr, multiplier }) => {
    return multiplier === 1 ? lr === own : Math.abs(own * multiplier - lr) <= rounding * Math.abs(lr);
  });
  return agrees ? own : null;
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
