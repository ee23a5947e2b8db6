/** In which options a checkpoint's optimizer and the one it is loaded into differ. */

import { optionOf } from "../class-fields.js";
import { describe, some } from "../errors.js";
import type { Field } from "../fields.js";
import type { SerializedObject } from "../keras-object.js";
import { isRecord, read } from "../validate.js";
import type { Checkpoint, StoredParameter } from "./checkpoint.js";
import { CheckpointError } from "./errors.js";
import { adamConfig } from "./keras-layout.js";
import { configOf, type OptimizerState, storedParameters } from "./optimizer-state.js";
import { rateFactor, type SettingPair, settingKeys, settingPairs, settings } from "./parameter-settings.js";

/** Names change no number; the scale is state in a loss scaler; reports are asked for, not remembered. */
const ignored = new Set(["name", "initial_scale", "report_norms"]);

/** How to compare, and what to call what differs. */
interface Rules {
  /** The first optimizer says only some of its options. */
  readonly isPartial: boolean;
  /** Whoever looks into the file sees Keras' names, and nobody sees in it which parameters are excluded from decay. */
  readonly isKeras: boolean;
  /** "proportional": the learning rate here becomes what groups take the right multiples of. "any": all multiples of 0. */
  readonly rates: "same" | "proportional" | "any";
}

/** The parameters of both optimizers. */
interface Parameters {
  readonly stored: readonly StoredParameter[];
  readonly own: readonly StoredParameter[];
  /** What the optimizer calls a parameter of the file. */
  newName(name: string): string;
}

interface Compared {
  /** One phrase for each option that differs. */
  readonly differences: readonly string[];
  /** Times how much the file's learning rate is the optimizer's. */
  readonly rateFactor: number;
}

/** A number as learning rate is state and loaded, so any number will do. @throws CHECKPOINT */
export function compareConfigs(
  state: OptimizerState,
  checkpoint: Checkpoint,
  newName: Parameters["newName"],
): Compared {
  const { path, optimizer, isConfigPartial = false, format, parameters: stored, learningRate } = checkpoint;
  const own = configOf(state);
  if (!optimizer || !own) return { differences: format === "keras" ? formulaDifference(state) : [], rateFactor: 1 };
  const inner = isRecord(own.config) ? own.config.inner_optimizer : undefined;
  // Formats that say nothing of a loss scaler say nothing against one either.
  const isInner = isConfigPartial && isRecord(inner) && optimizer.class_name !== own.class_name;
  const rates = ratesToMatch(adamConfig(own).learning_rate, isConfigPartial && learningRate === 0);
  const rules: Rules = { isPartial: isConfigPartial, isKeras: format === "keras", rates };
  const parameters = { stored, own: storedParameters(state), newName };
  try {
    return compareOptions(optimizer, isInner ? (inner as unknown as SerializedObject) : own, parameters, rules);
  } catch (error) {
    throw new CheckpointError(path, (error as Error).message, { key: "optimizer" }, { cause: error });
  }
}

/** A schedule or a function here stays what it is; of a rate of 0 a file that does not say multipliers has none. */
function ratesToMatch(own: unknown, isUnsaid: boolean): Rules["rates"] {
  if (typeof own !== "number") return "same";
  return isUnsaid ? "any" : "proportional";
}

/** Where options cannot be compared: a file of Keras' is of its formula, whatever it says. */
function formulaDifference({ options: { formula } }: OptimizerState): string[] {
  return formula === "keras" ? [] : [phrase("formula", "keras", formula)];
}

/** As compareConfigs, of two serialized optimizers. @throws INVALID_ARGUMENT for groups that are none */
export function compareOptions(
  storedObject: SerializedObject,
  ownObject: SerializedObject,
  parameters: Parameters,
  rules: Rules,
): Compared {
  const { isPartial, isKeras } = rules;
  const [stored, own] = [plain(storedObject), plain(ownObject)];
  const pairs = settingPairs(
    { config: adamConfig(stored), parameters: parameters.stored, isPartial, hasExclusions: !isKeras },
    { config: adamConfig(own), parameters: parameters.own, isPartial: false, hasExclusions: true },
    parameters.newName,
  );
  return {
    differences: differences("", stored, own, { ...rules, pairs }),
    rateFactor: rateFactor(pairs.get("learningRateMultiplier") ?? []) ?? 1,
  };
}

interface Comparison extends Rules {
  readonly pairs: ReturnType<typeof settingPairs>;
}

/** As JSON has it: what is not defined is absent. */
function plain(value: SerializedObject): SerializedObject {
  return JSON.parse(JSON.stringify(value));
}

/** So many decimal digits tell every float32 from every other. */
const float32Digits = 9;

interface Envelope {
  readonly class_name: unknown;
  readonly config: Record<string, unknown>;
}

/** Of two optimizers, or of two schedules or others in them, called `owner`. */
function differences(owner: string, stored: unknown, own: unknown, comparison: Comparison): string[] {
  if (!isEnvelope(stored) || !isEnvelope(own) || stored.class_name !== own.class_name) {
    return same(stored, own) ? [] : [phrase(owner === "" ? "the optimizer" : owner, stored, own)];
  }
  const { isPartial, isKeras } = comparison;
  const keys = new Set([...Object.keys(stored.config), ...(isPartial ? [] : Object.keys(own.config))]);
  // Schedules have no settings.
  const isAdam = settings.beta1.key in own.config;
  const options = [...keys]
    .filter((key) => !isAdam || !settingKeys.has(key))
    .flatMap((key) => {
      const [a, b] = [stored.config[key], own.config[key]];
      const isRate = key === "learning_rate" && typeof a === "number" && typeof b === "number";
      if (ignored.has(key) || isRate) return [];
      const [name, field] = optionOf(own.class_name, key);
      const path = owner === "" ? name : `${owner}.${name}`;
      if (isEnvelope(a) && isEnvelope(b)) return differences(path, a, b, comparison);
      if (same(a, b)) return [];
      const [theirs, ours] = key === "learning_rate" ? [asGiven(a), asGiven(b)] : [a, b];
      return [phrase(isKeras && name !== key ? `${path} (${key})` : path, theirs, ours, field)];
    });
  return isAdam ? [...options, ...settingDifferences(owner, stored.config, comparison)] : options;
}

/** Of what groups and exclusions say: by parameters, where they are not all the same. */
function settingDifferences(owner: string, stored: Record<string, unknown>, comparison: Comparison): string[] {
  const { isKeras } = comparison;
  return [...comparison.pairs].flatMap(([setting, pairs]) => {
    if (setting === "learningRateMultiplier" && isSameRates(stored, pairs, comparison)) return [];
    const cases = new Map<string, SettingPair[]>();
    for (const pair of pairs) {
      const key = JSON.stringify([pair.stored, pair.own]);
      const known = cases.get(key) ?? [];
      cases.set(key, known);
      known.push(pair);
    }
    const { key } = settings[setting];
    const name = `${owner === "" ? "" : `${owner}.`}${setting}${isKeras && key !== setting ? ` (${key})` : ""}`;
    return [...cases.values()].flatMap((members) => {
      const { stored: theirs, own: ours } = members[0] as SettingPair;
      if (isEnvelope(theirs) && isEnvelope(ours)) return differences(name, theirs, ours, comparison);
      if (same(theirs, ours)) return [];
      const whose = cases.size > 1 ? ` of ${some(members.map(({ parameter }) => parameter))}` : "";
      return [phrase(name + whose, theirs, ours)];
    });
  });
}

/** Whether the parameters have the file's rates, once the optimizer's is what it is loaded to be. */
function isSameRates(stored: Record<string, unknown>, pairs: readonly SettingPair[], { rates }: Comparison): boolean {
  if (rates === "any") return true;
  return rates === "proportional" && !isRecord(stored.learning_rate) && rateFactor(pairs) !== null;
}

function phrase(name: string, stored: unknown, own: unknown, field?: Field<unknown>): string {
  return `${name} is ${shown(stored, field)} in the file and ${shown(own, field)} here`;
}

/** Keras' JSON has a learning rate as the float32 it becomes; the shortest number that becomes it is what was given. */
function asGiven(rate: unknown): unknown {
  if (typeof rate !== "number") return rate;
  const lengths = Array.from({ length: float32Digits }, (_, i) => i + 1);
  return lengths.map((digits) => Number(rate.toPrecision(digits))).find((short) => Math.fround(short) === rate) ?? rate;
}

/** As it is written in TypeScript; what is absent is the default. */
function shown(json: unknown, field: Field<unknown> | undefined): string {
  if (json === undefined) return field && "default" in field ? describe(field.default) : "absent";
  if (isEnvelope(json)) return String(json.class_name);
  if (typeof json === "number") return spelled(json);
  try {
    return describe(field ? read(field.kind, json, field.key, (nested) => nested) : json);
  } catch {
    return describe(json);
  }
}

/** JavaScript writes 0.000001, and then 1e-7: numbers that are compared are small in one spelling. */
function spelled(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : describe(value);
}

function isEnvelope(value: unknown): value is Envelope {
  return isRecord(value) && "class_name" in value && isRecord(value.config);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
