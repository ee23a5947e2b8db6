/** Optimizer states of PyTorch: `torch.save(optimizer.state_dict(), path)`. */

import type { ByteSource } from "./byte-file.js";
import type { Checkpoint, StoredParameter, Tensor } from "./checkpoint.js";
import { CheckpointError, UnsaidError, WronglySaidError } from "./errors.js";
import { stepName } from "./names.js";
import { memoryTensor } from "./optimizer-state.js";
import { PickleError, readPickle } from "./pickle-reader.js";
import type { PickleDict } from "./pickle-values.js";
import { configOf, ratesOf } from "./torch-config.js";
import { readCounters, readMetadata } from "./torch-notes.js";
import { allowedGlobals, isTensor, Storages, torchTensor } from "./torch-tensors.js";
import type { ZipEntry } from "./zip-reader.js";

export const torchFormat = "torch";

/** A state_dict holds no numbers itself: this is enough for 100,000 parameters. */
const largestPickle = 2 ** 26;
/** No optimizer keeps more for a parameter, nor calls it longer. */
const mostSlots = 32;
const longestSlot = 100;
const longestName = 1000;
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

export interface TorchOptions {
  /** The parameters in the order of the optimizer. */
  readonly names?: readonly string[] | undefined;
  /** Of a file without names, give the parameters under their numbers. @default false */
  readonly numbered?: boolean | undefined;
}

/** Takes over the source, whose archive has these entries. @throws CHECKPOINT */
export async function openTorch(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  options: TorchOptions = {},
): Promise<Checkpoint> {
  try {
    return await new StateDictReader(source, entries).read(options);
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
    if (pickle === undefined) {
      const isNumpy = entries.size > 0 && [...entries.keys()].every((name) => name.endsWith(".npy"));
      throw this.#error(
        isNumpy ? "no checkpoint: the file is a NumPy archive" : "no archive of PyTorch: it has no data.pkl",
      );
    }
    this.#folder = pickle.slice(0, -"data.pkl".length);
  }

  #error(problem: string, key?: string): CheckpointError {
    return new CheckpointError(this.#source.path, problem, key === undefined ? {} : { key });
  }

  async read({ names, numbered = false }: TorchOptions): Promise<Checkpoint> {
    const order = await this.#entries.get(`${this.#folder}byteorder`)?.bytes(100);
    if (order !== undefined && order.toString() !== "little") throw this.#error("saved on a big-endian machine");
    const { state, groups } = this.#stateDict(await this.#pickle());
    const members = this.#members(groups);
    const said = names ?? this.#paramNames(groups, members.length);
    if (!said && !numbered) throw this.#unnamed(members.length);
    const given = said ?? members.map((_, i) => String(i));
    this.#checkNames(given, members.length);
    const parameters: StoredParameter[] = [];
    const tensors = new Map<string, Tensor>();
    const storages = this.#storages();
    const seen = new Set<unknown>();
    for (const [i, { id, group }] of members.entries()) {
      const name = given[i] as string;
      const own = state.get(id);
      if (own !== undefined && seen.size === seen.add(own).size)
        throw this.#error("the state of another one too", name);
      const found = await this.#parameter(storages, name, own ?? new Map(), group);
      for (const tensor of found) tensors.set(tensor.name, tensor);
      const shape = found.find((tensor) => !tensor.name.endsWith(`.${stepName}`))?.shape ?? [];
      parameters.push({ name, shape, frozen: own === undefined });
    }
    const { path } = this.#source;
    const named = groups.map((options) => ({ options, names: [] as string[] }));
    for (const [i, { place }] of members.entries()) named[place]?.names.push(given[i] as string);
    const { learningRate, multipliers } = await ratesOf(storages, groups);
    return {
      path,
      format: torchFormat,
      optimizer: configOf(named, multipliers),
      isConfigPartial: true,
      learningRate,
      counters: await readCounters(path, groups[0], tensors),
      parameters,
      isNumbered: !said,
      tensors,
      metadata: readMetadata(path, groups[0]),
      close: () => this.#source.close(),
    };
  }

  async #pickle(): Promise<unknown> {
    const name = `${this.#folder}data.pkl`;
    const entry = this.#entries.get(name) as ZipEntry;
    if (!entry.isStored) throw this.#error("packed, which PyTorch never does", name);
    const bytes = await entry.bytes(largestPickle);
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
      const keys = [...dict.keys()].slice(0, 8).map(shown).join(", ");
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

  /** The parameters in their order, with the group each is in and its place among the groups. */
  #members(groups: readonly PickleDict[]): { id: unknown; group: PickleDict; place: number }[] {
    const members: { id: unknown; group: PickleDict; place: number }[] = [];
    const seen = new Set<unknown>();
    for (const [place, group] of groups.entries()) {
      for (const id of this.#list(group.get("params"), "params")) {
        if (typeof id !== "number" && typeof id !== "string") throw this.#error("expected numbers", "params");
        if (seen.has(id)) throw this.#error(`it has the parameter ${shown(id)} twice`, "params");
        seen.add(id);
        members.push({ id, group, place });
      }
    }
    return members;
  }

  /** undefined: it does not say them all. */
  #paramNames(groups: readonly PickleDict[], count: number): string[] | undefined {
    const found: string[] = [];
    for (const group of groups) {
      const names = group.has("param_names") ? this.#list(group.get("param_names"), "param_names") : [];
      if (found.length + names.length > count) break;
      for (const name of names) if (typeof name === "string" && name.length <= longestName) found.push(name);
    }
    return found.length === count ? found : undefined;
  }

  #unnamed(count: number): UnsaidError {
    const remedy = "pass names: [...] in the order of the optimizer's parameters, or build it with named_parameters()";
    return new UnsaidError(this.#source.path, "names", `it has no names for its ${count} parameters`, remedy);
  }

  #checkNames(names: readonly string[], count: number): void {
    const { path } = this.#source;
    if (names.length !== count) {
      const problem = `it has ${count} parameters, and ${names.length} names are given`;
      throw new WronglySaidError(path, problem, { key: "param_groups" });
    }
    const seen = new Set<string>();
    for (const name of names) {
      if (seen.has(name)) throw new WronglySaidError(path, "two parameters would have this name", { key: name });
      seen.add(name);
    }
  }

  async #parameter(storages: Storages, name: string, state: unknown, group: PickleDict): Promise<Tensor[]> {
    if (!(state instanceof Map)) throw this.#error("its state is no dict", name);
    if (state.size > mostSlots) throw this.#error(`its state has ${state.size} parts, more than any optimizer's`, name);
    const tensors: Tensor[] = [];
    for (const [slot, value] of state) {
      this.#rejectForeign(slot);
      if (typeof slot !== "string" || slot.length > longestSlot) throw this.#error("a part without a name", name);
      const key = `${name}.${slot}`;
      if (isTensor(value)) tensors.push(await torchTensor(storages, value, key));
      else if (slot === stepName && typeof value === "number") tensors.push(stepTensor(key, value));
      else throw this.#error("neither a tensor nor a count", key);
    }
    // Apex' FusedAdam counts once for the group.
    const shared = group.get(stepName);
    const hasStep = tensors.some((tensor) => tensor.name === `${name}.${stepName}`);
    if (state.size > 0 && !hasStep && typeof shared === "number")
      tensors.push(stepTensor(`${name}.${stepName}`, shared));
    return tensors;
  }

  #storages(): Storages {
    return new Storages(this.#source, (key) => this.#entries.get(`${this.#folder}data/${key}`));
  }
}

/** A key of a dict in a message. */
function shown(key: unknown): string {
  return typeof key === "string" || typeof key === "number" ? String(key).slice(0, 100) : `a ${typeof key}`;
}

function stepTensor(name: string, steps: number): Tensor {
  const bytes = new Uint8Array(new Float64Array([steps]).buffer);
  return memoryTensor(name, "F64", [], bytes);
}
