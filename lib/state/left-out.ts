/** What of a checkpoint a format has no place for, for people to be told. */

import { either, some } from "../errors.js";
import { lossScaleFields } from "../loss-scale-options.js";
import { optionFields } from "../options.js";
import { isRecord } from "../validate.js";
import { type Checkpoint, isScaled } from "./checkpoint.js";
import type { WritableFormat } from "./format-names.js";
import { adamConfig } from "./keras-layout.js";
import { splitTensorName, valueName } from "./names.js";

interface Place {
  /** Where the state goes. */
  readonly name: string;
  readonly metadata: boolean;
  readonly lossScale: boolean;
}

/** Our own format has a place for everything. */
const places: Partial<Record<WritableFormat, Place>> = {
  torch: { name: "PyTorch's state_dict", metadata: true, lossScale: true },
  keras: { name: "the optimizer in Keras' files", metadata: false, lossScale: true },
  tfjs: { name: "TensorFlow.js' Adam", metadata: true, lossScale: false },
};

/** What people call the place of the state in a file of this format; undefined where the file is all of it. */
export function placeName(format: WritableFormat): string | undefined {
  return places[format]?.name;
}

/** A sentence each. `written` are the names of the checkpoint's tensors that went into the file, in whatever form. */
export function leftOut(checkpoint: Checkpoint, format: WritableFormat, written: ReadonlySet<string>): string[] {
  const known = places[format];
  if (!known) return [];
  const { tensors, metadata } = checkpoint;
  const options = format === "keras" ? beyondKeras(checkpoint) : [];
  const names = [...tensors.keys()].filter((name) => !written.has(name));
  const others = names.filter((name) => splitTensorName(name)?.role !== valueName);
  const parts: [what: string, isLeft: boolean][] = [
    ["parameters are", names.length > others.length],
    [`${some(others)} ${others.length === 1 ? "is" : "are"}`, others.length > 0],
    ["the loss scale is", !known.lossScale && isScaled(checkpoint)],
    ["metadata is", !known.metadata && Object.keys(metadata).length > 0],
    [`${either(options, "and")} ${options.length === 1 ? "is" : "are"}`, options.length > 0],
  ];
  return parts.filter(([, isLeft]) => isLeft).map(([what]) => `${what} not part of ${known.name}: left out`);
}

/** Of no effect on a number. */
const effectless = new Set(["zero_gradients", "report_norms"]);

/**
 * Options that are not the default and that Keras does not have. A `.keras` file, which says options, has none of them.
 */
function beyondKeras({ optimizer }: Checkpoint): string[] {
  if (optimizer === null) return [];
  const outer = isRecord(optimizer.config) ? optimizer.config : {};
  const given = { ...outer, ...adamConfig(optimizer) };
  const fields: [string, { readonly key: string; readonly own?: true }][] = [
    ...Object.entries(lossScaleFields),
    ...Object.entries(optionFields),
  ];
  return fields
    .filter(([, { key, own }]) => own && given[key] !== undefined && !effectless.has(key))
    .map(([name]) => name);
}
