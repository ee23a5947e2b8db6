/** What of a checkpoint a format has no place for, for people to be told. */

import { classFields } from "../class-fields.js";
import { either, some } from "../errors.js";
import { type Field, isDefaultJson } from "../fields.js";
import { isRecord } from "../validate.js";
import { type Checkpoint, isScaled } from "./checkpoint.js";
import type { WritableFormat } from "./format-names.js";
import { adamConfig } from "./keras-layout.js";
import { splitTensorName, valueName } from "./names.js";

interface Place {
  /** What people call it. */
  readonly name: string;
  readonly metadata: boolean;
  readonly lossScale: boolean;
  /** What becomes of an option there. */
  becomes(field: Field<unknown>): "said" | "number" | "settings" | "left";
}

/** Formats that say a few numbers of each parameter. */
const said = new Set(["formula", "beta_1", "beta_2", "epsilon", "amsgrad", "maximize"]);
const becomesNumbers: Place["becomes"] = ({ key }) => {
  if (key === "learning_rate" || key === "weight_decay") return "number";
  if (key === "groups" || key === "exclude_from_weight_decay") return "settings";
  return said.has(key) ? "said" : "left";
};

/**
 * Our own format has a place for everything. A `.keras` file says options, and those that are not Keras' are errors,
 * but for exclusions.
 */
const places: Partial<Record<WritableFormat, Place>> = {
  torch: { name: "PyTorch's state_dict", metadata: true, lossScale: true, becomes: becomesNumbers },
  keras: {
    name: "the optimizer in Keras' files",
    metadata: false,
    lossScale: true,
    becomes: ({ own }) => (own ? "left" : "said"),
  },
  tfjs: { name: "TensorFlow.js' Adam", metadata: true, lossScale: false, becomes: becomesNumbers },
};

/** A sentence each. `written` are the names of the checkpoint's tensors that went into the file, in whatever form. */
export function leftOut(checkpoint: Checkpoint, format: WritableFormat, written: ReadonlySet<string>): string[] {
  const place = places[format];
  if (!place) return [];
  const { tensors, metadata } = checkpoint;
  const names = [...tensors.keys()].filter((name) => !written.has(name));
  const others = names.filter((name) => splitTensorName(name)?.role !== valueName);
  const options = toldOptions(checkpoint);
  const becoming = (what: ReturnType<Place["becomes"]>) =>
    options.filter(({ field }) => place.becomes(field) === what).map(({ name }) => name);
  const left = becoming("left");
  const schedules = options.filter(({ field, json }) => place.becomes(field) === "number" && isRecord(json));
  const parts: [what: string, isLeft: boolean][] = [
    ["parameters are", names.length > others.length],
    [`${some(others)} ${others.length === 1 ? "is" : "are"}`, others.length > 0],
    ["the loss scale is", !place.lossScale && isScaled(checkpoint)],
    ["metadata is", !place.metadata && Object.keys(metadata).length > 0],
    [`${either(left, "and")} ${left.length === 1 ? "is" : "are"}`, left.length > 0],
  ];
  return [
    ...parts.filter(([, isLeft]) => isLeft).map(([what]) => `${what} not part of ${place.name}: left out`),
    ...schedules.map(({ name }) => `${name}: of the schedule the number that it has reached is written`),
    ...becoming("settings").map((name) => `${name}: written as the settings of each parameter`),
  ];
}

/** They change no number of a training that goes on: names, the scale to begin with, and what is only for the program. */
const effectless = new Set(["name", "initial_scale", "zero_gradients", "report_norms"]);

interface ToldOption {
  /** In TypeScript. */
  readonly name: string;
  readonly field: Field<unknown>;
  readonly json: unknown;
}

/** Options that are not the default: whoever goes on with the state has to be given them again. */
function toldOptions({ optimizer }: Checkpoint): ToldOption[] {
  if (optimizer === null) return [];
  const outer = isRecord(optimizer.config) ? optimizer.config : {};
  const given = { ...outer, ...adamConfig(optimizer) };
  const fields = { ...classFields.get("LossScaleOptimizer"), ...classFields.get("AdamW") };
  return Object.entries(fields)
    .map(([name, field]) => ({ name, field, json: given[field.key] }))
    .filter(({ field, json }) => json !== undefined && !effectless.has(field.key) && !isDefaultJson(field, json));
}
