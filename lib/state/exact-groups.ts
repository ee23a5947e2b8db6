/** Groups whose parameters are chosen by their whole names. */

import { groupFields, type ParameterGroup } from "../groups.js";
import type { SerializedObject } from "../keras-object.js";
import type { Checkpoint } from "./checkpoint.js";
import { adamConfig, withAdamConfig } from "./keras-layout.js";
import { resolveConfig } from "./parameter-settings.js";

type GroupJson = Readonly<Record<string, unknown>>;

/** In JSON, for these parameters and no others. */
export function exactGroup(names: readonly string[], settings: GroupJson): GroupJson {
  const escaped = names.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return { match: { source: `^(?:${escaped.join("|")})$`, flags: "" }, ...settings };
}

/** The optimizer of a checkpoint whose parameters get other names: patterns for the old ones would miss them. */
export function renamedOptimizer(
  { optimizer, parameters }: Checkpoint,
  newName: (name: string) => string,
): SerializedObject | null {
  if (optimizer === null) return null;
  const config = adamConfig(optimizer);
  if (!config.groups && !config.exclude_from_weight_decay) return optimizer;
  const { groups, excluded } = resolveConfig(config, parameters);
  const named = new Map<string, { json: GroupJson; names: string[] }>();
  for (const [i, { learningRateMultiplier, frozen, ...others }] of groups.entries()) {
    const told = {
      ...(learningRateMultiplier !== 1 && { learningRateMultiplier }),
      ...others,
      ...(frozen && { frozen }),
    };
    const fields = Object.entries(told).map(([name, value]) => [groupFields[name as keyof ParameterGroup].key, value]);
    if (fields.length === 0) continue;
    const json = Object.fromEntries(fields);
    const key = JSON.stringify(json);
    const known = named.get(key) ?? { json, names: [] as string[] };
    named.set(key, known);
    known.names.push(newName(parameters[i]?.name as string));
  }
  const exclusions = parameters.filter((_, i) => excluded[i]).map(({ name }) => newName(name));
  return withAdamConfig(optimizer, {
    ...config,
    groups: named.size > 0 ? [...named.values()].map(({ json, names }) => exactGroup(names, json)) : undefined,
    exclude_from_weight_decay: exclusions.length > 0 ? { names: [], parameters: exclusions } : undefined,
  });
}
