/** Parameter groups: settings for the parameters that a pattern or a shape chooses. */

import { invalid, some } from "./errors.js";
import { type Fields, readFields, resolveFields, writeFields } from "./fields.js";
import { globToRegExp, isRegExpJson, occursIn, readRegExp, writeRegExp } from "./patterns.js";
import {
  belowOne,
  boolean,
  integerFrom,
  isRecord,
  type Kind,
  listOf,
  nonNegative,
  nonNegativeFloat32,
} from "./validate.js";

/**
 * Which parameters a group is about: a glob over the whole name (`*` stops at "/", `**` does not), a regular expression
 * searched in the whole name, or the number of dimensions of the shape.
 */
export type GroupMatch = string | RegExp | { readonly rank: number } | { readonly maxRank: number };

/** Settings for some parameters. Matching groups apply in their order; where two set a field, the later one wins. */
export interface ParameterGroup {
  match: GroupMatch;
  /** Multiplies the learning rate, and so the decay too. @default 1 */
  learningRateMultiplier?: number;
  /** In place of the optimizer's weight decay. */
  weightDecay?: number;
  /** In place of the optimizer's beta1. */
  beta1?: number;
  /** In place of the optimizer's beta2. */
  beta2?: number;
  /** In place of the optimizer's epsilon. */
  epsilon?: number;
  /** Take the parameters out of everything: update, norm, decay, averages. @default false */
  frozen?: boolean;
  /** Let the group match no parameter at all. @default false */
  optional?: boolean;
}

/** What the groups say about one parameter; an absent field leaves the optimizer's own value. */
export type GroupSettings = Readonly<
  Omit<ParameterGroup, "match" | "optional"> & Required<Pick<ParameterGroup, "learningRateMultiplier" | "frozen">>
>;

/** The two ways to choose by shape; a match has exactly one of them. */
const rankFields: Fields<{ rank?: number; maxRank?: number }> = {
  rank: { key: "rank", kind: integerFrom(0), default: undefined },
  maxRank: { key: "max_rank", kind: integerFrom(0), default: undefined },
};

function isPattern(value: unknown): value is string | RegExp {
  return (typeof value === "string" && value !== "") || value instanceof RegExp;
}

const match: Kind<GroupMatch> = {
  expected: "a glob, a RegExp, { rank } or { maxRank }",
  accepts: (value) => isPattern(value) || (isRecord(value) && Object.keys(value).length === 1),
  copy: (value, name) =>
    isPattern(value)
      ? value
      : (resolveFields(rankFields, value, name, `${name}.`) as Exclude<GroupMatch, string | RegExp>),
  write(value) {
    if (value instanceof RegExp) return writeRegExp(value);
    return isPattern(value) ? value : writeFields(rankFields, value);
  },
  read(json, name, nested) {
    if (isRegExpJson(json)) return readRegExp(json, name);
    return isRecord(json) ? readFields(rankFields, json, name, nested) : json;
  },
};

export const groupFields: Fields<ParameterGroup> = {
  match: { key: "match", kind: match },
  learningRateMultiplier: { key: "learning_rate_multiplier", kind: nonNegative, default: undefined },
  weightDecay: { key: "weight_decay", kind: nonNegativeFloat32, default: undefined },
  beta1: { key: "beta_1", kind: belowOne, default: undefined },
  beta2: { key: "beta_2", kind: belowOne, default: undefined },
  epsilon: { key: "epsilon", kind: nonNegativeFloat32, default: undefined },
  frozen: { key: "frozen", kind: boolean, default: undefined },
  optional: { key: "optional", kind: boolean, default: undefined },
};

const group: Kind<ParameterGroup> = {
  expected: "a group { match, … }",
  accepts: isRecord,
  copy: (value, name) => resolveFields(groupFields, value, name, `${name}.`),
  write: (value) => writeFields(groupFields, value),
  read: (json, name, nested) => readFields(groupFields, json, name, nested),
};

/** The kind of the option `groups`. */
export const groupsKind: Kind<readonly ParameterGroup[]> = listOf(group);

function matcher(pattern: GroupMatch): (parameter: GroupParameter) => boolean {
  if (typeof pattern === "string") {
    const expression = globToRegExp(pattern);
    return ({ name }) => expression.test(name);
  }
  if (pattern instanceof RegExp) return ({ name }) => occursIn(pattern, name);
  if ("rank" in pattern) return ({ shape }) => shape.length === pattern.rank;
  return ({ shape }) => shape.length <= pattern.maxRank;
}

/** What a group can choose a parameter by. */
export interface GroupParameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * The settings of each parameter, in the order of the parameters.
 *
 * @throws INVALID_ARGUMENT when a group that is not optional matches no parameter
 */
export function resolveGroups(
  groups: readonly ParameterGroup[],
  parameters: readonly GroupParameter[],
): readonly GroupSettings[] {
  const settings = parameters.map(() => ({ learningRateMultiplier: 1, frozen: false }));
  groups.forEach(({ match: pattern, optional, ...fields }, i) => {
    const matches = matcher(pattern);
    const chosen = settings.filter((_, index) => matches(parameters[index] as GroupParameter));
    if (chosen.length === 0 && !optional) {
      const names = some(parameters.map(({ name }) => name));
      throw invalid(
        `groups[${i}].match`,
        `a pattern that some parameter matches (${names}), or optional: true,`,
        pattern,
      );
    }
    for (const setting of chosen) Object.assign(setting, fields);
  });
  return settings.map((setting) => Object.freeze(setting));
}
