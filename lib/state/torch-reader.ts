/** Optimizer states of PyTorch: `torch.save(optimizer.state_dict(), path)`. */

import { kerasOptimizers, type SerializedObject } from "../keras-object.js";
import type { ByteSource } from "./byte-file.js";
import type { Checkpoint, StoredParameter, Tensor } from "./checkpoint.js";
import { CheckpointError } from "./errors.js";
import { stepName } from "./names.js";
import { memoryTensor } from "./optimizer-state.js";
import { type PickleDict, PickleError, readPickle } from "./pickle-reader.js";
import { allowedGlobals, isTensor, type Storages, torchTensor } from "./torch-tensors.js";
import type { ZipEntry } from "./zip-reader.js";

export const torchFormat = "torch";

/** A state_dict holds no numbers itself: this is enough for a million parameters. */
const largestPickle = 2 ** 28;
/** Where training scripts keep the state_dict of the optimizer in a larger file. */
const usualKeys = ["optimizer_state_dict", "optimizer"];

/** State of other libraries by a key that only it has. */
const foreignKeys: Readonly<Record<string, string>> = {
  state1: "bitsandbytes' 8-bit optimizers",
  absmax1: "bitsandbytes' 8-bit optimizers",
  single_partition_of_fp32_groups: "DeepSpeed's ZeRO (convert it with its zero_to_fp32 tools first)",
  base_optimizer_state: "DeepSpeed's ZeRO (convert it with its zero_to_fp32 tools first)",
  master_param: "an optimizer with master weights (Apex, Transformer Engine)",
  exp_avg_scale: "scaled states (Transformer Engine, FlashOptim)",
  "exp_avg::quantized": "FlashOptim's quantized states",
};

/** Classes of other libraries by the start of their names. */
const foreignModules: Readonly<Record<string, string>> = {
  "torchao.": "torchao's low-bit optimizers",
  "bitsandbytes.": "bitsandbytes' optimizers",
  "deepspeed.": "DeepSpeed's optimizers",
  "apex.": "Apex' optimizers",
  "flashoptim.": "FlashOptim's optimizers",
};

/** Takes over the source, whose archive has these entries. @throws CHECKPOINT */
export async function openTorch(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  names?: readonly string[],
): Promise<Checkpoint> {
  try {
    return await new StateDictReader(source, entries).read(names);
  } catch (error) {
    await source.close();
    throw error;
  }
}

class StateDictReader {
  readonly #source: ByteSource;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  readonly #folder: string;

  constructor(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#entries = entries;
    const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickle === undefined) throw this.#error("no archive of PyTorch: it has no data.pkl");
    this.#folder = pickle.slice(0, -"data.pkl".length);
  }

  #error(problem: string, key?: string): CheckpointError {
    return new CheckpointError(this.#source.path, problem, key === undefined ? {} : { key });
  }

  async read(names: readonly string[] | undefined): Promise<Checkpoint> {
    const order = await this.#entries.get(`${this.#folder}byteorder`)?.bytes(100);
    if (order !== undefined && order.toString() !== "little") throw this.#error("saved on a big-endian machine");
    const { state, groups } = this.#stateDict(await this.#pickle());
    const ids = groups.flatMap((group) => this.#list(group.get("params"), "params"));
    const given = names ?? this.#paramNames(groups, ids.length);
    if (given.length !== ids.length) {
      throw this.#error(`it has ${ids.length} parameters and names: … has ${given.length}`, "param_groups");
    }
    const parameters: StoredParameter[] = [];
    const tensors = new Map<string, Tensor>();
    for (const [i, id] of ids.entries()) {
      const name = given[i] as string;
      const own = state.get(id);
      const found = await this.#parameter(name, own ?? new Map(), groups, id);
      for (const tensor of found) tensors.set(tensor.name, tensor);
      const shape = found.find((tensor) => !tensor.name.endsWith(`.${stepName}`))?.shape ?? [];
      parameters.push({ name, shape, frozen: own === undefined });
    }
    const { path } = this.#source;
    const config = configOf(groups);
    const rate = sharedValue(groups, "lr");
    return {
      path,
      format: torchFormat,
      optimizer: config,
      isConfigPartial: true,
      learningRate: typeof rate === "number" ? rate : null,
      counters: {},
      parameters,
      tensors,
      metadata: {},
      close: () => this.#source.close(),
    };
  }

  async #pickle(): Promise<unknown> {
    const name = `${this.#folder}data.pkl`;
    const bytes = await (this.#entries.get(name) as ZipEntry).bytes(largestPickle);
    try {
      return readPickle(bytes, (global) => {
        const known = Object.entries(foreignModules).find(([start]) => global.startsWith(start));
        if (known) throw this.#error(`state of ${known[1]} is not supported: it asks for ${global}`, name);
        return allowedGlobals.has(global);
      });
    } catch (error) {
      if (!(error instanceof PickleError)) throw error;
      const problem = `${error.message} (byte ${error.offset} of the pickle)`;
      throw new CheckpointError(this.#source.path, problem, { key: name }, { cause: error });
    }
  }

  #stateDict(root: unknown): { state: PickleDict; groups: PickleDict[] } {
    const dict = root instanceof Map ? root : new Map();
    const nested = usualKeys.map((key) => dict.get(key)).find((value) => value instanceof Map && value.has("state"));
    const chosen: PickleDict = dict.has("state") && dict.has("param_groups") ? dict : (nested ?? new Map());
    const [state, groups] = [chosen.get("state"), chosen.get("param_groups")];
    for (const key of dict.keys()) this.#rejectForeign(key);
    if (!(state instanceof Map) || !Array.isArray(groups) || !groups.every((group) => group instanceof Map)) {
      const keys = [...dict.keys()].slice(0, 8).map(String).join(", ");
      throw this.#error(`no optimizer's state_dict: expected state and param_groups, it has ${keys || "no keys"}`);
    }
    return { state, groups };
  }

  #rejectForeign(key: unknown): void {
    if (typeof key === "string" && Object.hasOwn(foreignKeys, key)) {
      throw this.#error(`state of ${foreignKeys[key]} is not supported`, key);
    }
  }

  #list(value: unknown, key: string): unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#error("expected a list", key);
  }

  #paramNames(groups: readonly PickleDict[], count: number): string[] {
    const found = groups.flatMap((group) =>
      group.has("param_names") ? this.#list(group.get("param_names"), "param_names") : [],
    );
    if (found.length === count && found.every((name) => typeof name === "string")) return found as string[];
    const rest = "pass names: [...] in the order of the optimizer's parameters, or build it with named_parameters()";
    throw this.#error(`it has no names for its ${count} parameters; ${rest}`, "param_names");
  }

  async #parameter(name: string, state: unknown, groups: readonly PickleDict[], id: unknown): Promise<Tensor[]> {
    if (!(state instanceof Map)) throw this.#error("its state is no dict", name);
    const tensors: Tensor[] = [];
    for (const [slot, value] of state) {
      this.#rejectForeign(slot);
      const key = `${name}.${String(slot)}`;
      if (isTensor(value)) tensors.push(await torchTensor(this.#storages(), value, key));
      else if (slot === stepName && typeof value === "number") tensors.push(stepTensor(key, value));
      else throw this.#error("neither a tensor nor a count", key);
    }
    // Apex' FusedAdam counts once for the group.
    const counted = groups.find(
      (group) => Array.isArray(group.get("params")) && (group.get("params") as unknown[]).includes(id),
    );
    const shared = counted?.get(stepName);
    const hasStep = tensors.some((tensor) => tensor.name === `${name}.${stepName}`);
    if (state.size > 0 && !hasStep && typeof shared === "number")
      tensors.push(stepTensor(`${name}.${stepName}`, shared));
    return tensors;
  }

  #storages(): Storages {
    return {
      path: this.#source.path,
      entry: (key) => this.#entries.get(`${this.#folder}data/${key}`),
      read: (offset, into) => this.#source.read(offset, into),
    };
  }
}

function stepTensor(name: string, steps: number): Tensor {
  const bytes = new Uint8Array(new Float64Array([steps]).buffer);
  return memoryTensor(name, "F64", [], bytes);
}

/** A hyper-parameter, if all groups have the same. */
function sharedValue(groups: readonly PickleDict[], key: string): unknown {
  const [first, ...rest] = groups.map((group) => group.get(key));
  return rest.every((value) => value === first) ? first : undefined;
}

/** What all groups agree on, in the keys of our own configuration. */
function configOf(groups: readonly PickleDict[]): SerializedObject {
  const betas = groups.map((group) => group.get("betas")).map((pair) => (Array.isArray(pair) ? pair : []));
  const beta = (i: number) => (betas.every((pair) => pair[i] === betas[0]?.[i]) ? betas[0]?.[i] : undefined);
  const isL2 = groups.some((group) => group.get("decoupled_weight_decay") === false && group.get("weight_decay") !== 0);
  const config = {
    formula: "torch",
    weight_decay: sharedValue(groups, "weight_decay"),
    beta_1: beta(0),
    beta_2: beta(1),
    epsilon: sharedValue(groups, "eps"),
    amsgrad: sharedValue(groups, "amsgrad"),
    // Absent where it is the default, as in our own configurations.
    maximize: sharedValue(groups, "maximize") || undefined,
    // Weight decay in the gradient, which there is no option for here.
    ...(isL2 && { decoupled_weight_decay: false }),
  };
  return { module: kerasOptimizers, class_name: "AdamW", config, registered_name: null };
}
