/** Checkpoints of a training that runs for days: when to save, which to keep, where to go on. */

import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AdamWError } from "../errors.js";
import { type Fields, resolveFields } from "../fields.js";
import { integerFrom, isRecord, type Kind, parse, positive, text } from "../validate.js";
import { AtomicFile } from "./atomic-file.js";
import { CheckpointError, fileError } from "./errors.js";
import { makeFolder } from "./folders.js";
import type { LoadOptions, LoadReport } from "./load.js";
import { indexName } from "./own-format.js";
import { metadataKind, type SaveOptions, type SaveReport } from "./save.js";
import { removeStale } from "./temporaries.js";
import { manifestName } from "./tfjs-reader.js";

/** What the manager needs of an AdamW or a LossScaleOptimizer. */
export interface Saveable {
  readonly iterations: number;
  save(path: string, options?: SaveOptions): Promise<SaveReport>;
  load(path: string, options?: LoadOptions): Promise<LoadReport>;
}

export interface CheckpointManagerOptions {
  /** Where the checkpoints are; made when it is missing. */
  folder: string;
  /** Save once so many iterations have passed since the last save. */
  everySteps?: number | undefined;
  /** Save once so many minutes have passed since the last save. */
  everyMinutes?: number | undefined;
  /** How many checkpoints to keep. @default 3 */
  keep?: number;
  /** Options of every save; the parameters are saved too unless `parameters: false` is among them. @default {} */
  save?: SaveOptions;
}

/** What is said of one save. */
export interface ManagedSaveOptions {
  /** For the report of `resume`, beside that of the options of every save: a position in the data, an epoch. @default {} */
  metadata?: Readonly<Record<string, string>>;
}

export interface ResumeReport extends LoadReport {
  /** Newer checkpoints that are damaged, and why. */
  readonly damaged: readonly CheckpointError[];
}

const saveable: Kind<Saveable> = {
  expected: "an AdamW or a LossScaleOptimizer",
  accepts: (value) => typeof (value as Saveable | null)?.save === "function",
};

/** The other options are checked by every save. */
const saveOptions: Kind<SaveOptions> = {
  expected: "an object",
  accepts: isRecord,
  copy: ({ metadata = {}, ...others }, name) => ({
    ...others,
    metadata: parse(metadataKind, metadata, `${name}.metadata`),
  }),
};

const fields: Fields<CheckpointManagerOptions> = {
  folder: { key: "folder", kind: text },
  everySteps: { key: "every_steps", kind: integerFrom(1), default: undefined },
  everyMinutes: { key: "every_minutes", kind: positive, default: undefined },
  keep: { key: "keep", kind: integerFrom(1), default: 3 },
  save: { key: "save", kind: saveOptions, default: {} },
};

const managedSaveFields: Fields<ManagedSaveOptions> = {
  metadata: { key: "metadata", kind: metadataKind, default: {} },
};

type ResolvedManagerOptions = CheckpointManagerOptions & Required<Pick<CheckpointManagerOptions, "keep" | "save">>;

type Metadata = Readonly<Record<string, string>>;

const pattern = /^checkpoint-(\d{12})(?:\.safetensors)?$/;
const pointer = "latest";

/**
 * Saves an optimizer now and then, and finds the newest checkpoint that is whole.
 *
 * @example
 * const manager = new CheckpointManager(optimizer, { folder: "checkpoints", everyMinutes: 10 });
 * const resumed = await manager.resume();
 * for (let batch = Number(resumed?.metadata.batch ?? 0); batch < batches; ) {
 *   await optimizer.applyAsync(gradients(batch));
 *   batch += 1;
 *   manager.afterStep({ metadata: { batch: String(batch) } }); // saves in the background when it is time
 * }
 * await manager.finish(); // waits for a save that is being written
 * await manager.save(); // the end
 */
export class CheckpointManager {
  readonly #optimizer: Saveable;
  readonly #options: ResolvedManagerOptions;
  #saving: Promise<SaveReport> | null = null;
  #failure: unknown;
  #lastIteration: number;
  #lastTime = performance.now();

  /** @throws INVALID_ARGUMENT */
  constructor(optimizer: Saveable, options: CheckpointManagerOptions) {
    parse(saveable, optimizer, "optimizer");
    this.#optimizer = optimizer;
    this.#options = resolveFields(fields, options, "the options of CheckpointManager") as ResolvedManagerOptions;
    this.#lastIteration = optimizer.iterations;
  }

  /**
   * Begins a save if one is due and none is being written, and returns at once. It is written while the event loop runs:
   * a loop that never awaits anything saves nothing. A failure is thrown by the next call of any method.
   *
   * @throws INVALID_ARGUMENT without `everySteps` and `everyMinutes`, and for wrong options
   */
  afterStep(options: ManagedSaveOptions = {}): void {
    this.#rethrow();
    const metadata = parseMetadataOption(options, "afterStep");
    const { everySteps, everyMinutes } = this.#options;
    if (everySteps === undefined && everyMinutes === undefined) {
      const message = "Expected everySteps or everyMinutes, for afterStep() to know when to save, but received neither";
      throw new AdamWError("INVALID_ARGUMENT", message);
    }
    if (this.#saving !== null || !this.#isDue()) return;
    this.#begin(metadata).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  #isDue(): boolean {
    const { everySteps = Number.POSITIVE_INFINITY, everyMinutes = Number.POSITIVE_INFINITY } = this.#options;
    const minutes = (performance.now() - this.#lastTime) / 60_000;
    return this.#optimizer.iterations - this.#lastIteration >= everySteps || minutes >= everyMinutes;
  }

  /** Saves now. @throws what `save` throws */
  async save(options: ManagedSaveOptions = {}): Promise<SaveReport> {
    this.#rethrow();
    const metadata = parseMetadataOption(options, "save");
    while (this.#saving !== null) await this.#saving.catch(() => undefined);
    return this.#begin(metadata);
  }

  async #begin(metadata: Metadata): Promise<SaveReport> {
    this.#lastIteration = this.#optimizer.iterations;
    this.#lastTime = performance.now();
    this.#saving = this.#write(this.#lastIteration, metadata);
    try {
      return await this.#saving;
    } finally {
      this.#saving = null;
    }
  }

  /** Waits for the save that is being written. @throws what it throws */
  async finish(): Promise<void> {
    while (this.#saving !== null) await this.#saving.catch(() => undefined);
    this.#rethrow();
  }

  async #write(iteration: number, metadata: Metadata): Promise<SaveReport> {
    const { folder, keep } = this.#options;
    const given = this.#options.save;
    const save = { parameters: true, ...given, metadata: { ...given.metadata, ...metadata } };
    const extension = save.shardBytes === undefined ? ".safetensors" : "";
    const name = `checkpoint-${String(iteration).padStart(12, "0")}${extension}`;
    // The state is copied before anything is awaited: steps may go on as soon as this returns.
    try {
      makeFolder(folder);
    } catch (error) {
      throw fileError(folder, error);
    }
    const report = await this.#optimizer.save(join(folder, name), save);
    await AtomicFile.write(join(folder, pointer), (file) => file.write(Buffer.from(`${name}\n`), 0));
    const whole = (await this.checkpoints()).filter((other) => other < name);
    const unfinished = (await this.#names()).filter((other) => other < name && !whole.includes(other));
    for (const old of [...whole.slice(keep - 1), ...unfinished]) {
      await rm(join(folder, old), { recursive: true, force: true });
    }
    await removeStale(folder, (left) => pattern.test(left));
    return report;
  }

  /** The checkpoints in the folder, newest first; a folder that a save never finished is none. @throws FILE */
  async checkpoints(): Promise<string[]> {
    const names = await this.#names();
    const finished = await Promise.all(names.map((name) => isFinished(join(this.#options.folder, name))));
    return names.filter((_, i) => finished[i]);
  }

  async #names(): Promise<string[]> {
    const { folder } = this.#options;
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw fileError(folder, error);
    });
    return names
      .filter((name) => pattern.test(name))
      .sort()
      .reverse();
  }

  /**
   * Loads the newest checkpoint that is whole; null when there is none.
   *
   * @throws what `load` throws, when a whole checkpoint does not fit the optimizer or all are damaged
   */
  async resume(options: LoadOptions = {}): Promise<ResumeReport | null> {
    const { folder } = this.#options;
    const names = await this.checkpoints();
    const latest = await readFile(join(folder, pointer), "utf8").then(
      (line) => line.trim(),
      () => "",
    );
    const ordered = names.includes(latest) ? [latest, ...names.filter((name) => name !== latest)] : names;
    const damaged: CheckpointError[] = [];
    for (const name of ordered) {
      try {
        const report = await this.#optimizer.load(join(folder, name), options);
        this.#lastIteration = this.#optimizer.iterations;
        return { ...report, damaged };
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        damaged.push(error);
      }
    }
    if (damaged[0]) throw damaged[0];
    return null;
  }

  #rethrow(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }
}

/** @throws INVALID_ARGUMENT */
function parseMetadataOption(options: ManagedSaveOptions, method: string): Metadata {
  return resolveFields(managedSaveFields, options, `the options of ${method}`).metadata ?? {};
}

/** A folder of files is a checkpoint from the moment on in which its index is there. */
async function isFinished(path: string): Promise<boolean> {
  const find = (name: string) => stat(name).catch(() => null);
  if (!(await find(path))?.isDirectory()) return true;
  return (await Promise.all([indexName, manifestName].map((name) => find(join(path, name))))).some(
    (found) => found !== null,
  );
}
