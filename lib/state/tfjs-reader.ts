/**
 * Optimizer states as TensorFlow.js saves weights: a model.json and shards, with what `optimizer.getWeights()` of its
 * Adam gives, on its own or beside a model's weights.
 */

import { dirname, join } from "node:path";
import { kerasOptimizers, type SerializedObject } from "../keras-object.js";
import { isRecord, nonNegative } from "../validate.js";
import { ByteFile, type ByteSource } from "./byte-file.js";
import type { Checkpoint, StoredParameter, Tensor } from "./checkpoint.js";
import { readCount } from "./counts.js";
import { CheckpointError, isMissing } from "./errors.js";
import { JoinedSource } from "./joined-source.js";
import { type Role, splitTensorName, stepName, tensorName, valueName } from "./names.js";
import { memoryTensor } from "./optimizer-state.js";
import { PieceReader } from "./pieces.js";
import type { JsonRecord } from "./strict-json.js";
import { parseManifest, type TfjsGroup, type TfjsManifest, type TfjsWeight } from "./tfjs-manifest.js";
import { verifyTensor } from "./verify.js";

export const tfjsFormat = "tfjs";
export const manifestName = "model.json";

/** The count of updates among the weights of an Adam. */
export const iterName = "iter";
/** What follows the variable's name in the names of an Adam's weights. */
export const slotEnds = { moment1: "/m", moment2: "/v" } as const;

/** A weight and where it is read. */
export interface TfjsTensor extends Tensor {
  readonly group: TfjsWeight["group"];
}

/** The file at `path`, model.json or the folder it is in. */
export function manifestPath(path: string): string {
  return path.endsWith(".json") ? path : join(path, manifestName);
}

/** The checkpoint of a model.json at `path` that says `json`. @throws CHECKPOINT, FILE */
export function openTfjs(path: string, json: JsonRecord): Promise<Checkpoint> {
  return readTfjs(path, json, (shard) => openShard(path, shard));
}

export async function openShard(path: string, shard: string): Promise<ByteSource> {
  return ByteFile.open(join(dirname(path), shard)).catch((error: unknown) => {
    if (isMissing(error)) throw new CheckpointError(path, "this shard is missing", { key: shard }, { cause: error });
    throw error;
  });
}

/** The checkpoint that a model.json says; `open` gives its shards. @throws CHECKPOINT, FILE */
export async function readTfjs(
  path: string,
  json: JsonRecord,
  open: (shard: string) => Promise<ByteSource>,
): Promise<Checkpoint> {
  const manifest = parseManifest(path, json);
  const { tensors, close } = await openWeights(path, manifest, open);
  try {
    return await describe(path, manifest, tensors, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Every weight of a manifest, of models too. @throws CHECKPOINT, FILE */
export async function openWeights(
  path: string,
  { groups, notes }: TfjsManifest,
  open: (shard: string) => Promise<ByteSource>,
): Promise<{ tensors: TfjsTensor[]; close(): Promise<void> }> {
  const opened: ByteSource[] = [];
  const close = async () => {
    for (const source of opened) await source.close();
  };
  try {
    const tensors: TfjsTensor[] = [];
    for (const group of groups) {
      const sources: ByteSource[] = [];
      for (const shard of group.paths) {
        const source = await open(shard);
        opened.push(source);
        sources.push(source);
      }
      tensors.push(...weightsOf(path, group, new JoinedSource(path, sources)));
    }
    const sums = notes?.checksums;
    const checked = tensors.map((tensor): TfjsTensor => {
      if (!sums) return tensor;
      if (!Object.hasOwn(sums, tensor.name)) {
        throw new CheckpointError(path, "it has no checksum", { key: tensor.name });
      }
      return { ...tensor, checksum: sums[tensor.name] };
    });
    return { tensors: checked, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function weightsOf(path: string, { paths, weights }: TfjsGroup, source: JoinedSource): TfjsTensor[] {
  let end = 0;
  const tensors = weights.map((weight) => {
    const start = end;
    end += weight.byteLength;
    return { ...weight, read: (from: number, into: Uint8Array) => source.read(start + from, into) };
  });
  if (end !== source.size) {
    const problem = `its weights have ${end} bytes and its shards (${paths.slice(0, 4).join(", ")}) ${source.size}`;
    throw new CheckpointError(path, problem, { key: paths.at(-1) ?? "weightsManifest" });
  }
  return tensors;
}

async function describe(
  path: string,
  { json, notes }: TfjsManifest,
  weights: readonly TfjsTensor[],
  close: () => Promise<void>,
): Promise<Checkpoint> {
  // `encodeWeights(await optimizer.getWeights())` says no group: then the names decide.
  const saysGroups = weights.some(({ group }) => group === "optimizer");
  const tensors = new Map<string, Tensor>();
  let iter: Tensor | undefined;
  for (const { group, ...weight } of weights) {
    const isState = saysGroups ? group === "optimizer" : isStateName(weight.name);
    const name = isState ? stateName(weight.name) : tensorName(weight.name, valueName);
    if (name === undefined) {
      const problem = "no state of TensorFlow.js' Adam: expected iter, <variable>/m or <variable>/v";
      throw new CheckpointError(path, problem, { key: weight.name });
    }
    if (name === iterName) iter = weight;
    else tensors.set(name, { ...weight, name });
  }
  if (!iter) {
    throw new CheckpointError(path, "no optimizer's weights: saved without includeOptimizer", { key: iterName });
  }
  if (iter.dtype !== "I32" || iter.shape.length > 0) {
    throw new CheckpointError(path, "expected one int32", { key: iterName });
  }
  await verifyTensor(path, iter, new PieceReader());
  const parameters = parametersOf(tensors);
  const updates = Float64Array.of(await readCount(path, iter));
  for (const { name, frozen } of parameters) {
    const step = tensorName(name, stepName);
    if (!frozen) tensors.set(step, memoryTensor(step, "F64", [], new Uint8Array(updates.buffer)));
  }
  const { optimizer, learningRate } = readConfig(path, json);
  return {
    path,
    format: tfjsFormat,
    optimizer,
    isConfigPartial: true,
    learningRate,
    counters: {},
    parameters,
    tensors,
    metadata: notes?.user ?? {},
    close,
  };
}

function isStateName(weight: string): boolean {
  return stateName(weight) !== undefined;
}

/** Our name for a weight of an Adam; `iter` stays what it is. */
function stateName(weight: string): string | undefined {
  if (weight === iterName) return iterName;
  for (const [role, end] of Object.entries(slotEnds)) {
    const parameter = weight.slice(0, -end.length);
    if (weight.endsWith(end) && parameter !== "") return tensorName(parameter, role as keyof typeof slotEnds);
  }
  return undefined;
}

/** In the order of the file; what has a value only takes no part in the optimizer. */
function parametersOf(tensors: ReadonlyMap<string, Tensor>): StoredParameter[] {
  const parameters = new Map<string, StoredParameter>();
  for (const { name, shape } of tensors.values()) {
    const { parameter, role } = splitTensorName(name) as { parameter: string; role: Role };
    const known = parameters.get(parameter);
    parameters.set(parameter, { name: parameter, shape, frozen: role === valueName && (known?.frozen ?? true) });
  }
  return [...parameters.values()];
}

/** The options of TensorFlow.js' Adam: its epsilon stands where PyTorch's does, and it decays nothing. */
function readConfig(
  path: string,
  { trainingConfig }: TfjsManifest["json"],
): { optimizer: SerializedObject; learningRate: number | null } {
  const { optimizer_config: stored } = isRecord(trainingConfig) ? trainingConfig : {};
  const fixed = { formula: "torch", weight_decay: 0, amsgrad: false };
  const asOurs = (config: Record<string, unknown>) => ({
    module: kerasOptimizers,
    class_name: "AdamW",
    config: { ...fixed, ...config },
    registered_name: null,
  });
  if (stored === undefined) return { optimizer: asOurs({}), learningRate: null };
  const { class_name: name, config } = isRecord(stored) ? stored : {};
  if (name !== "Adam" || !isRecord(config)) {
    const problem = `state of ${JSON.stringify(name)?.slice(0, 40)} where that of TensorFlow.js' Adam is expected`;
    throw new CheckpointError(path, problem, { key: "optimizer_config" });
  }
  const { learningRate, beta1: beta_1, beta2: beta_2, epsilon } = config;
  for (const [key, value] of Object.entries({ learningRate, beta_1, beta_2, epsilon })) {
    if (nonNegative.accepts(value)) continue;
    throw new CheckpointError(path, `expected ${nonNegative.expected} in optimizer_config`, { key });
  }
  return { optimizer: asOurs({ beta_1, beta_2, epsilon }), learningRate: learningRate as number };
}
