/** Optimizer state for `optimizer.load_state_dict(torch.load(path, weights_only=True))`. */

import type { Checkpoint, Contents, Tensor } from "./checkpoint.js";
import { readCount } from "./counts.js";
import { elementCount } from "./dtypes.js";
import { CheckpointError } from "./errors.js";
import { roleNames, stepName, tensorName, valueName } from "./names.js";
import { bytesOf, memoryTensor } from "./optimizer-state.js";
import { PickleApply, PickleFloat, PickleName, PicklePersistent, PickleTuple, writePickle } from "./pickle-writer.js";
import type { WriteOptions } from "./safetensors-writer.js";
import { type TorchGroup, torchGroups } from "./torch-groups.js";
import { checkpointNotes, rateNotes } from "./torch-notes.js";
import { storageTypes } from "./torch-tensors.js";
import { writeZip, type ZipContent } from "./zip-writer.js";

const reader = "PyTorch";
const rebuild = new PickleName("torch._utils", "_rebuild_tensor_v2");
const orderedDict = new PickleName("collections", "OrderedDict");
const storageOf = new Map(Object.entries(storageTypes).map(([storage, dtype]) => [dtype, storage]));

/**
 * Writes a state_dict. Averages and accumulators, which PyTorch's optimizer does not know, go with the state under our
 * names: it keeps and saves them, and so it does with counts in its groups. The parameters' own values belong to the
 * model's state_dict and are left out.
 *
 * @throws INVALID_ARGUMENT for options PyTorch does not have, FILE, ABORTED
 */
export async function writeTorch(path: string, checkpoint: Checkpoint, options: WriteOptions): Promise<Contents> {
  const groups = torchGroups(checkpoint, reader);
  const storages: Tensor[] = [];
  const written = new Set<string>();
  const state = new Map<number, unknown>();
  const order = groups.flatMap(({ members }) => members);
  for (const [id, member] of order.entries()) {
    const name = checkpoint.parameters[member]?.name as string;
    const slots = new Map<string, unknown>();
    for (const role of Object.keys(roleNames) as (keyof typeof roleNames)[]) {
      const tensor = role === valueName ? undefined : checkpoint.tensors.get(tensorName(name, role));
      if (!tensor) continue;
      const stored = role === stepName ? await floatStep(checkpoint.path, tensor) : tensor;
      slots.set(roleNames[role], tensorValue(stored, storages.length));
      storages.push(stored);
      written.add(tensor.name);
    }
    state.set(id, sorted(slots));
  }
  let next = 0;
  const paramGroups = groups.map((group) => {
    const ids = group.members.map(() => next++);
    return groupValue(
      group,
      ids,
      group.members.map((member) => checkpoint.parameters[member]?.name as string),
    );
  });
  for (const [key, value] of await checkpointNotes(checkpoint, reader)) paramGroups[0]?.set(key, value);
  const root = new Map<string, unknown>([
    ["state", state],
    ["param_groups", paramGroups],
  ]);
  const contents: ZipContent[] = [
    { name: "archive/data.pkl", data: writePickle(root) },
    { name: "archive/byteorder", data: Buffer.from("little") },
    ...storages.map((data, i) => ({ name: `archive/data/${i}`, data })),
    { name: "archive/version", data: Buffer.from("3\n") },
  ];
  return { bytes: await writeZip(path, contents, options), written };
}

/** PyTorch's own order: the step first. */
function sorted(slots: Map<string, unknown>): Map<string, unknown> {
  return new Map([...slots].sort(([a], [b]) => Number(b === stepName) - Number(a === stepName)));
}

/** PyTorch counts in a float32. @throws CHECKPOINT for counts that it cannot hold */
async function floatStep(path: string, tensor: Tensor): Promise<Tensor> {
  const count = await readCount(path, tensor);
  if (Math.fround(count) !== count) {
    throw new CheckpointError(path, `${count} updates, which PyTorch's float32 step cannot hold`, { key: tensor.name });
  }
  return memoryTensor(tensor.name, "F32", [], bytesOf(Float32Array.of(count)));
}

function tensorValue(tensor: Tensor, storage: number): PickleApply {
  const { dtype, shape } = tensor;
  const strides = shape.map((_, i) => elementCount(shape.slice(i + 1)));
  const type = new PickleName("torch", storageOf.get(dtype) as string);
  const id = new PicklePersistent("storage", type, String(storage), "cpu", elementCount(shape));
  const hooks = new PickleApply(orderedDict);
  return new PickleApply(rebuild, id, 0, new PickleTuple(...shape), new PickleTuple(...strides), false, hooks);
}

function groupValue(group: TorchGroup, ids: readonly number[], names: readonly string[]): Map<string, unknown> {
  return new Map<string, unknown>([
    ["lr", new PickleFloat(group.lr)],
    ["betas", new PickleTuple(...group.betas.map((beta) => new PickleFloat(beta)))],
    ["eps", new PickleFloat(group.eps)],
    ["weight_decay", new PickleFloat(group.weightDecay)],
    ["amsgrad", group.amsgrad],
    ["maximize", group.maximize],
    ["foreach", null],
    ["capturable", false],
    ["differentiable", false],
    ["fused", null],
    ["decoupled_weight_decay", true],
    ...rateNotes(group),
    ["params", ids],
    ["param_names", names],
  ]);
}
