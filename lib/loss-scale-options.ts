/** The options of LossScaleOptimizer: their types, their table, their JSON. */

import { invalid } from "./errors.js";
import { type Fields, readFields, resolveFields, writeFields } from "./fields.js";
import { lossScaleKind } from "./hyper.js";
import { noNested, type Serializable, serialize } from "./keras-object.js";
import { divisorFloat32, integerFrom, isRecord, parse, positive, text } from "./validate.js";

export interface LossScaleOptions {
  /** @default "loss_scale_optimizer" */
  name?: string;
  /** The loss scale before the first step. @default 2 ** 15 */
  initialScale?: number;
  /** The scale doubles after so many finite steps in a row. @default 2000 */
  dynamicGrowthSteps?: number;
  /** The scale never falls below this; the default is the smallest normal float32. @default 2 ** -126 */
  minimumScale?: number;
  /** The scale never rises above this; the default is the largest power of two in float32. @default 2 ** 127 */
  maximumScale?: number;
}

/** The options with every field present and checked, frozen. */
export type ResolvedLossScaleOptions = Readonly<Required<LossScaleOptions>>;

/** Every option once; in Keras' `get_config()` the inner optimizer comes after the name. */
export const lossScaleFields: Fields<ResolvedLossScaleOptions> = {
  name: { key: "name", kind: text, default: "loss_scale_optimizer" },
  initialScale: { key: "initial_scale", kind: positive, default: 2 ** 15 },
  dynamicGrowthSteps: { key: "dynamic_growth_steps", kind: integerFrom(1), default: 2000 },
  minimumScale: { key: "minimum_scale", kind: divisorFloat32, default: 2 ** -126, own: true },
  maximumScale: { key: "maximum_scale", kind: divisorFloat32, default: 2 ** 127, own: true },
};

/** @throws INVALID_ARGUMENT for unknown options, wrong values, and an initial scale outside the limits */
export function resolveLossScaleOptions(options: LossScaleOptions = {}): ResolvedLossScaleOptions {
  const resolved = resolveFields(lossScaleFields, options, "the options of LossScaleOptimizer");
  const { minimumScale: minimum, maximumScale: maximum } = resolved;
  parse(lossScaleKind({ minimum, maximum }), resolved.initialScale, "initialScale");
  return resolved;
}

/** What `LossScaleOptimizer.getConfig()` returns. */
export function lossScaleToConfig(inner: Serializable, options: ResolvedLossScaleOptions): Record<string, unknown> {
  const { name, ...scale } = writeFields(lossScaleFields, options);
  return { name, inner_optimizer: serialize(inner), ...scale };
}

/** The serialized inner optimizer and the options that a configuration stands for, each still to be checked. */
export function configToLossScale(config: unknown): { inner: unknown; options: LossScaleOptions } {
  const owner = "the config of LossScaleOptimizer";
  if (!isRecord(config)) throw invalid(owner, "a plain object", config);
  const { inner_optimizer, innerOptimizer = inner_optimizer, ...scale } = config;
  return {
    inner: innerOptimizer,
    options: readFields<ResolvedLossScaleOptions>(lossScaleFields, scale, owner, noNested),
  };
}
