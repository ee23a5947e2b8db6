/** What configurations say of each parameter, with their groups and exclusions applied. */

import { exclusionsKind, resolveExclusions } from "../exclusions.js";
import { type GroupSettings, groupsKind, resolveGroups } from "../groups.js";
import { noNested } from "../keras-object.js";
import { optionFields } from "../options.js";
import { type Kind, parse, read } from "../validate.js";
import type { StoredParameter } from "./checkpoint.js";

type Config = Readonly<Record<string, unknown>>;

/** What groups can set, by its name in TypeScript: the key in JSON, and what it is without a word. */
export const settings = {
  learningRateMultiplier: { key: "learning_rate_multiplier", default: 1 },
  weightDecay: optionFields.weightDecay,
  beta1: optionFields.beta1,
  beta2: optionFields.beta2,
  epsilon: optionFields.epsilon,
} as const;

export type Setting = keyof typeof settings;

/** The options of AdamW that say no more than the settings of its parameters. */
export const settingKeys: ReadonlySet<string> = new Set([
  ...Object.values(settings).map(({ key }) => key),
  optionFields.groups.key,
  optionFields.excludeFromWeightDecay.key,
]);

export interface ResolvedConfig {
  readonly groups: readonly GroupSettings[];
  readonly excluded: readonly boolean[];
}

/** The groups and exclusions of a configuration, in the order of the parameters. @throws INVALID_ARGUMENT */
export function resolveConfig(config: Config, parameters: readonly StoredParameter[]): ResolvedConfig {
  const { groups = optionFields.groups.default, exclude_from_weight_decay: exclusions = null } = config;
  const given = parsed(groupsKind, groups, "groups");
  // Whether every group must match something was decided when the optimizer was built.
  const optional = given.map((group) => ({ ...group, optional: true }));
  const names = exclusions === null ? null : parsed(exclusionsKind, exclusions, "excludeFromWeightDecay");
  return { groups: resolveGroups(optional, parameters), excluded: resolveExclusions(names, parameters) };
}

function parsed<T>(kind: Kind<T>, json: unknown, name: string): T {
  return parse(kind, read(kind, json, name, noNested), name);
}

/** A configuration and the parameters it is about. */
export interface Said {
  readonly config: Config;
  readonly parameters: readonly StoredParameter[];
  /** It leaves out what nobody knows, instead of what is the default. */
  readonly isPartial: boolean;
  /** Keras writes no exclusions: a decay may be the parameter's or not. */
  readonly hasExclusions: boolean;
}

/** A setting of a parameter, as JSON has it. */
export interface SettingPair {
  readonly parameter: string;
  readonly stored: unknown;
  readonly own: unknown;
}

/**
 * What both say of each setting, of every parameter that both train. `newName` is what the optimizer calls a parameter
 * of the file.
 */
export function settingPairs(
  stored: Said,
  own: Said,
  newName: (name: string) => string,
): ReadonlyMap<Setting, readonly SettingPair[]> {
  const ours = new Map(saidOf(own).map((said) => [said.name, said.values]));
  const theirs = saidOf(stored).map(({ name, values }) => ({ parameter: newName(name), values }));
  const pairs = (setting: Setting) =>
    theirs.flatMap(({ parameter, values }) => {
      const [a, b] = [values[setting], ours.get(parameter)?.[setting]];
      // Where one side cannot say exclusions, the decay of what the other excludes is not known.
      const isComparable = setting !== "weightDecay" || (stored.hasExclusions && own.hasExclusions);
      const isKnown = a !== undefined && b !== undefined && (isComparable || (a !== excluded && b !== excluded));
      return isKnown ? [{ parameter, stored: asDecay(a), own: asDecay(b) }] : [];
    });
  return new Map((Object.keys(settings) as Setting[]).map((setting) => [setting, pairs(setting)]));
}

/** The decay of an excluded parameter. */
const excluded = Symbol("excluded");

function asDecay(value: unknown): unknown {
  return value === excluded ? 0 : value;
}

interface SaidOfParameter {
  readonly name: string;
  /** Undefined: it does not say it. */
  readonly values: Readonly<Record<Setting, unknown>>;
}

/** Of the parameters that are trained. */
function saidOf({ config, parameters, isPartial }: Said): SaidOfParameter[] {
  const resolved = resolveConfig(config, parameters);
  const common = Object.entries(settings).map(([name, { key, default: fallback }]) => {
    return [name, config[key] === undefined && !isPartial ? fallback : config[key]];
  });
  return parameters.flatMap(({ name, frozen }, i) => {
    if (frozen) return [];
    const values = { ...Object.fromEntries(common), ...resolved.groups[i] };
    return [{ name, values: resolved.excluded[i] ? { ...values, weightDecay: excluded } : values }];
  });
}

/** PyTorch's schedulers multiply each group's rate by itself: so far do they drift apart. */
const rounding = 2 ** -48;

export function isSameRate(a: number, b: number): boolean {
  return Math.abs(a - b) <= rounding * Math.abs(b);
}

/**
 * Times how much a learning rate of the file is the one here that gives every parameter the same; null: no one rate
 * does. The pairs are of multipliers.
 */
export function rateFactor(pairs: readonly SettingPair[]): number | null {
  const numbers = pairs.map(({ stored, own }) => [Number(stored), Number(own)] as const);
  if (numbers.every(([stored, own]) => isSameRate(stored, own))) return 1;
  const [stored, own] = numbers.find((pair) => !pair.includes(0)) ?? [1, 1];
  const factor = stored / own;
  return numbers.every(([theirs, ours]) => isSameRate(factor * ours, theirs)) ? factor : null;
}
