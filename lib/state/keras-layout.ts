/** Which variable of a Keras optimizer is which: they have numbers, not names. */

import { configToOptions } from "../config.js";
import type { SerializedObject } from "../keras-object.js";
import { type ResolvedOptions, resolveOptions } from "../options.js";
import { isRecord } from "../validate.js";
import { parameterSlots } from "../variables.js";
import { CheckpointError, WronglySaidError } from "./errors.js";
import { tensorName } from "./names.js";

/** The options that say which variables there are. */
export type LayoutOptions = Pick<ResolvedOptions, "useEma" | "gradientAccumulationSteps" | "amsgrad">;

/** Where Keras keeps the variables; those of a loss scaler's inner optimizer have a group of their own. */
export const ownGroup = "optimizer/vars";
export const innerGroup = "optimizer/inner_optimizer/vars";

/** The places of the loss scaler's own four variables in its group. */
export const scalerAt = { growthCounter: 2, lossScale: 3, count: 4 } as const;

export interface KerasLayout {
  /** The place of the learning rate; undefined when it is a schedule. */
  readonly learningRate: number | undefined;
  /** Names of our tensors by their place in Keras' list. */
  readonly slots: ReadonlyMap<number, string>;
}

/** Of the inner optimizer for a loss scaler. */
export function adamConfig({ config }: SerializedObject): Record<string, unknown> {
  const outer = isRecord(config) ? config : {};
  const inner = isRecord(outer.inner_optimizer) ? outer.inner_optimizer.config : outer;
  return isRecord(inner) ? inner : {};
}

/** With another configuration of its AdamW. */
export function withAdamConfig(optimizer: SerializedObject, config: Record<string, unknown>): SerializedObject {
  const outer = isRecord(optimizer.config) ? optimizer.config : {};
  const inner = outer.inner_optimizer;
  return { ...optimizer, config: isRecord(inner) ? { ...outer, inner_optimizer: { ...inner, config } } : config };
}

/** Where the learning rate is a number, it is the variable after the count. */
export function hasRateVariable(optimizer: SerializedObject): boolean {
  return typeof adamConfig(optimizer).learning_rate === "number";
}

/** The options in a configuration of Keras. @throws CHECKPOINT */
export function layoutOptions(path: string, optimizer: SerializedObject): LayoutOptions {
  const { learning_rate: _, weight_decay: __, ...rest } = adamConfig(optimizer);
  try {
    return resolveOptions(configToOptions(rest));
  } catch (error) {
    throw new CheckpointError(path, (error as Error).message, { key: optimizer.class_name }, { cause: error });
  }
}

/** @throws CHECKPOINT when a list of `count` variables cannot be that of these options and parameters */
export function kerasLayout(
  path: string,
  options: LayoutOptions,
  names: readonly string[],
  count: number,
): KerasLayout {
  const slots = parameterSlots(options as ResolvedOptions, names);
  const scalars = count - slots.length;
  if (scalars !== 1 && scalars !== 2) {
    const problem = `${count} variables where ${slots.length + 1} or ${slots.length + 2} are expected for ${names.length} parameters with these options`;
    throw new WronglySaidError(path, problem, { key: ownGroup });
  }
  return {
    learningRate: scalars === 2 ? 1 : undefined,
    slots: new Map(slots.map(({ parameter, slot }, i) => [scalars + i, tensorName(parameter, slot)])),
  };
}
