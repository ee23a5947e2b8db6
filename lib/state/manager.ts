/** Checkpoints of a training that runs for days: when to save, and where to go on. */

import { AdamWError } from "../errors.js";
import { type Fields, resolveFields } from "../fields.js";
import { integerFrom, isRecord, type Kind, parse, positive, text } from "../validate.js";
import { CheckpointFolder } from "./checkpoint-folder.js";
import { CheckpointError } from "./errors.js";
import type { LoadOptions, LoadReport } from "./load.js";
import { metadataKind, type SaveOptions, type SaveReport } from "./save.js";

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
  readonly #folder: CheckpointFolder;
  #saving: Promise<SaveReport> | null = null;
  #failure: unknown;
  #lastIteration: number;
  #lastTime = performance.now();

  /** @throws INVALID_ARGUMENT */
  constructor(optimizer: Saveable, options: CheckpointManagerOptions) {
    parse(saveable, optimizer, "optimizer");
    this.#optimizer = optimizer;
    this.#options = resolveFields(fields, options, "the options of CheckpointManager") as ResolvedManagerOptions;
    this.#folder = new CheckpointFolder(this.#options.folder);
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
    const given = this.#options.save;
    const save = { parameters: true, ...given, metadata: { ...given.metadata, ...metadata } };
    const folder = this.#folder;
    const name = folder.nameOf(iteration, save.shardBytes !== undefined);
    // The state is copied before anything is awaited: steps may go on as soon as this returns.
    folder.make();
    const report = await this.#optimizer.save(folder.pathOf(name), save);
    await folder.point(name);
    await folder.prune(name, this.#options.keep);
    return report;
  }

  /** The checkpoints in the folder, newest first; a folder that a save never finished is none. @throws FILE */
  async checkpoints(): Promise<string[]> {
    return this.#folder.checkpoints();
  }

  /**
   * Loads the newest checkpoint that is whole; null when there is none.
   *
   * @throws what `load` throws, when a whole checkpoint does not fit the optimizer or all are damaged
   */
  async resume(options: LoadOptions = {}): Promise<ResumeReport | null> {
    const damaged: CheckpointError[] = [];
    for (const name of await this.#folder.inOrder()) {
      try {
        const report = await this.#optimizer.load(this.#folder.pathOf(name), options);
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
