/** Names of tensors: `<parameter>.<slot>`, the slots called as in PyTorch's state_dict where PyTorch has them. */

import type { SlotName } from "../slots.js";

/** The slots of the optimizer by their names in files. */
export const slotNames = {
  moment1: "exp_avg",
  moment2: "exp_avg_sq",
  maxMoment2: "max_exp_avg_sq",
  ema: "ema",
  accumulator: "grad_accumulator",
} as const satisfies Record<SlotName, string>;

/** How many updates the parameter took part in: an integer. */
export const stepName = "step";
/** The parameter itself. */
export const valueName = "param";

/** What a tensor of a checkpoint can be. */
export type Role = SlotName | typeof stepName | typeof valueName;

export const roleNames: Readonly<Record<Role, string>> = { ...slotNames, step: stepName, param: valueName };

const roles = new Map(Object.entries(roleNames).map(([role, name]) => [name, role as Role]));

export function tensorName(parameter: string, role: Role): string {
  return `${parameter}.${roleNames[role]}`;
}

/** The parameter and the role a tensor's name says; no slot has a dot in its name, so the last one divides. */
export function splitTensorName(name: string): { parameter: string; role: Role } | undefined {
  const dot = name.lastIndexOf(".");
  const role = roles.get(name.slice(dot + 1));
  return dot > 0 && role !== undefined ? { parameter: name.slice(0, dot), role } : undefined;
}
