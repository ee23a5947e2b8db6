/** PyTorch's parameter groups for a configuration of ours: parameters with the same settings together. */

import { configToOptions } from "../config.js";
import { AdamWError } from "../errors.js";
import { resolveExclusions } from "../exclusions.js";
import { resolveGroups } from "../groups.js";
import type { SerializedObject } from "../keras-object.js";
import { type ResolvedOptions, resolveOptions } from "../options.js";
import { rateAt } from "../rates.js";
import { scheduleClasses } from "../schedules/classes.js";
import { isRecord } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { ownFormat } from "./metadata.js";

export interface TorchGroup {
  readonly lr: number;
  /** The optimizer's, and how many times it is taken: `lr` is their product. */
  readonly rate: number;
  readonly multiplier: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly amsgrad: boolean;
  readonly maximize: boolean;
  /** Indices into the checkpoint's parameters. */
  readonly members: number[];
}

/** The options of the AdamW in a checkpoint, whatever is around it. @throws INVALID_ARGUMENT */
export function torchOptions({ optimizer, format }: Checkpoint, reader: string): ResolvedOptions {
  const outer = optimizer?.config;
  if (!isRecord(outer)) {
    throw withoutNumber(reader, format === ownFormat ? "a function or class without a name" : "a file without options");
  }
  const inner = outer.inner_optimizer;
  const config = isRecord(inner) ? (inner as unknown as SerializedObject).config : outer;
  for (const key of ["learning_rate", "weight_decay"]) {
    const rate = isRecord(config) ? config[key] : undefined;
    if (!isRecord(rate) || scheduleClasses.some(({ name }) => name === rate.class_name)) continue;
    throw withoutNumber(
      reader,
      rate.class_name === "function" ? `the function ${rate.config}` : `a ${rate.class_name}`,
    );
  }
  return resolveOptions(configToOptions(config));
}

/** A function is not called to be saved: it may count its calls. */
function withoutNumber(reader: string, received: string): AdamWError {
  const expected = `a learning rate and a weight decay that are numbers or schedules of this package, since ${reader}'s format holds the numbers they have reached`;
  const message = `Expected ${expected}, but received ${received}: save in the format "fused-adamw" instead`;
  return new AdamWError("INVALID_ARGUMENT", message);
}

/**
 * Frozen parameters are in no group. `reader` is whose format it is for.
 *
 * @throws INVALID_ARGUMENT for another formula than PyTorch's
 */
export function torchGroups(checkpoint: Checkpoint, reader: string): TorchGroup[] {
  const options = torchOptions(checkpoint, reader);
  if (options.formula !== "torch") {
    const message = `Expected formula "torch" for ${reader}'s format but received "keras": epsilon stands elsewhere in Keras' formula, so ${reader} would go on differently (to go on by its formula, load this state with config: "keep" into an AdamW with formula: "torch", and save that)`;
    throw new AdamWError("INVALID_ARGUMENT", message);
  }
  const { parameters, counters } = checkpoint;
  const steps = counters.steps ?? 0;
  const rate = checkpoint.learningRate ?? rateAt(options.learningRate, steps, "learningRate");
  const decay = rateAt(options.weightDecay, steps, "weightDecay");
  const settings = resolveGroups(options.groups, parameters);
  const excluded = resolveExclusions(options.excludeFromWeightDecay, parameters);
  const groups = new Map<string, TorchGroup>();
  settings.forEach(({ learningRateMultiplier, weightDecay = decay, beta1, beta2, epsilon }, i) => {
    if (parameters[i]?.frozen) return;
    const group: TorchGroup = {
      lr: rate * learningRateMultiplier,
      rate,
      multiplier: learningRateMultiplier,
      betas: [beta1 ?? options.beta1, beta2 ?? options.beta2],
      eps: epsilon ?? options.epsilon,
      weightDecay: excluded[i] ? 0 : weightDecay,
      amsgrad: options.amsgrad,
      maximize: options.maximize,
      members: [],
    };
    const key = JSON.stringify(group);
    const known = groups.get(key) ?? group;
    groups.set(key, known);
    known.members.push(i);
  });
  return [...groups.values()];
}
