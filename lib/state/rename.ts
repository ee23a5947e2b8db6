/** Other names for the parameters of a checkpoint. */

import { AdamWError, describe, some } from "../errors.js";
import type { Checkpoint, Tensor } from "./checkpoint.js";
import { renamedOptimizer } from "./exact-groups.js";
import { splitTensorName, tensorName } from "./names.js";

/** How names in a file become names of parameters: by a table (others stay) or a function. */
export type Rename = Readonly<Record<string, string>> | ((name: string) => string);

/** The file's tensors by the names that `rename` gives their parameters. */
export function renameTensors(checkpoint: Checkpoint, rename: Rename = {}): Map<string, Tensor> {
  if (typeof rename !== "function") checkTable(checkpoint, rename);
  const newName = namer(rename);
  const stored = new Map<string, Tensor>();
  for (const tensor of checkpoint.tensors.values()) {
    const parts = splitTensorName(tensor.name);
    const parameter = parts && newName(parts.parameter);
    const name = parts ? tensorName(String(parameter), parts.role) : tensor.name;
    if (parts && typeof parameter !== "string") {
      throw new AdamWError(
        "INVALID_ARGUMENT",
        `Expected a name from rename for ${parts.parameter} but received ${describe(parameter)}`,
      );
    }
    if (stored.has(name)) {
      throw new AdamWError("INVALID_ARGUMENT", `Expected rename to give different names, but two become ${name}`);
    }
    stored.set(name, tensor);
  }
  return stored;
}

/** The name that `rename` gives a parameter. */
export function namer(rename: Rename = {}): (name: string) => string {
  if (typeof rename === "function") return rename;
  return (name) => (Object.hasOwn(rename, name) ? (rename[name] as string) : name);
}

/** A name that is not in the file is a slip: what it was to rename would keep its name. */
function checkTable({ path, tensors, parameters }: Checkpoint, table: Readonly<Record<string, string>>): void {
  const known = new Set(parameters.map(({ name }) => name));
  for (const name of tensors.keys()) known.add(splitTensorName(name)?.parameter ?? name);
  const unknown = Object.keys(table).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new AdamWError(
    "INVALID_ARGUMENT",
    `Expected rename to name parameters of ${path} (${some([...known])}) but received "${unknown}"`,
  );
}

/** The same checkpoint, its parameters under other names. @throws INVALID_ARGUMENT when two get the same */
export function renameCheckpoint(checkpoint: Checkpoint, table: Readonly<Record<string, string>>): Checkpoint {
  const tensors = [...renameTensors(checkpoint, table)].map(([name, tensor]): [string, Tensor] => [
    name,
    { ...tensor, name },
  ]);
  const newName = namer(table);
  const parameters = checkpoint.parameters.map((parameter) => ({ ...parameter, name: newName(parameter.name) }));
  const optimizer = Object.keys(table).length > 0 ? renamedOptimizer(checkpoint, newName) : checkpoint.optimizer;
  return { ...checkpoint, optimizer, tensors: new Map(tensors), parameters };
}
