/** Checkpoints of a training that runs for days: when to save, and where to go on. */

import { AdamWError } from "../errors.js";
import { inspection, shownAs } from "../inspection.js";
import { parse } from "../validate.js";
import { CheckpointFolder } from "./checkpoint-folder.js";
import { CheckpointError } from "./errors.js";
import type { LoadOptions, LoadReport } from "./load.js";
import {
  type CheckpointManagerOptions,
  type ManagedSaveOptions,
  type Metadata,
  parseManagedSave,
  type ResolvedManagerOptions,
  resolveManagerOptions,
  shownOptions,
} from "./manager-options.js";
import type { SaveReport } from "./save.js";
import { checkBuilt, type Saveable, saveableKind } from "./saveable.js";

export interface ResumeReport extends LoadReport {
  /** Newer checkpoints that are damaged or gone, and why. */
  readonly damaged: readonly CheckpointError[];
}

/** A state of the optimizer, and what was said of it. */
interface Described {
  readonly place: string;
  readonly metadata: Metadata;
}

/**
 * Saves an optimizer now and then, and finds the newest checkpoint that is whole.
 *
 * @example
 * const manager = new CheckpointManager(optimizer, { folder: "checkpoints", everyMinutes: 10 });
 * const resumed = await manager.resume();
 * let batch = Number(resumed?.metadata.batch ?? 0);
 * while (batch < batches) {
 *   await optimizer.applyAsync(gradients(batch));
 *   batch += 1;
 *   manager.afterStep({ metadata: { batch: String(batch) } }); // saves in the background when it is time
 * }
 * await manager.finish(); // waits for a save that is being written, and makes one that is due
 * await manager.save({ metadata: { batch: String(batch) } }); // the end
 */
export class CheckpointManager {
  readonly #optimizer: Saveable;
  readonly #options: ResolvedManagerOptions;
  readonly #folder: CheckpointFolder;
  /** Until the save that is being written is over, however it ends. */
  #saving: Promise<void> | null = null;
  /** A save that came due while another was written, of the newest state that it was due for. */
  #due: Described | null = null;
  /** What was said of the state that was saved last. */
  #saved: Described | null = null;
  #failure: unknown;
  #lastSave: SaveReport | undefined;
  #lastIteration: number;
  #lastTime = performance.now();

  /** @throws INVALID_ARGUMENT */
  constructor(optimizer: Saveable, options: CheckpointManagerOptions) {
    parse(saveableKind, optimizer, "optimizer");
    this.#optimizer = optimizer;
    this.#options = resolveManagerOptions(options);
    this.#folder = new CheckpointFolder(this.#options.folder);
    this.#lastIteration = optimizer.iterations;
  }

  /**
   * Begins a save if one is due, and returns at once. It is written while the event loop runs: a loop that never awaits
   * anything saves nothing. A save that comes due while another is being written begins at the first call after that
   * one is over, or in `finish`, and is of the state then. A failure is thrown by the next call of any method.
   *
   * @returns what can be awaited or left: `await` waits as `finish` does, so that every save that is due is made, at
   *   the iteration that it is due at, and throws what failed
   * @throws NOT_BUILT; INVALID_ARGUMENT without `everySteps` and `everyMinutes`, and for wrong options
   */
  afterStep(options: ManagedSaveOptions = {}): Promise<void> {
    this.#rethrow();
    checkBuilt(this.#optimizer);
    const metadata = parseManagedSave(options, "afterStep");
    const { everySteps, everyMinutes } = this.#options;
    if (everySteps === undefined && everyMinutes === undefined) {
      const message = "Expected everySteps or everyMinutes, for afterStep() to know when to save, but received neither";
      throw new AdamWError("INVALID_ARGUMENT", message);
    }
    if (this.#isDue()) {
      this.#due = { place: this.#place(), metadata };
      if (this.#saving === null) this.#beginDue(metadata);
    }
    return whenAwaited(() => this.finish());
  }

  #beginDue(metadata: Metadata): void {
    this.#begin(metadata).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  #isDue(): boolean {
    const { everySteps, everyMinutes = Number.POSITIVE_INFINITY } = this.#options;
    if ((performance.now() - this.#lastTime) / 60_000 >= everyMinutes) return true;
    // Asked only where it matters: on a GPU the count waits for the steps issued.
    return everySteps !== undefined && this.#optimizer.iterations - this.#lastIteration >= everySteps;
  }

  #place(): string {
    const { iterations, report } = this.#optimizer;
    return `${iterations}/${report?.microStep ?? ""}`;
  }

  /**
   * Saves now; without `metadata` what was said of this very state before stays said of it.
   *
   * @throws what `save` throws
   */
  async save(options: ManagedSaveOptions = {}): Promise<SaveReport> {
    this.#rethrow();
    checkBuilt(this.#optimizer);
    const metadata = parseManagedSave(options, "save");
    while (this.#saving !== null) await this.#saving;
    if (options.metadata !== undefined) return this.#begin(metadata);
    const here = this.#place();
    const known = [this.#due, this.#saved].find((described) => described?.place === here);
    return this.#begin(known?.metadata ?? metadata);
  }

  #begin(metadata: Metadata): Promise<SaveReport> {
    this.#lastIteration = this.#optimizer.iterations;
    this.#lastTime = performance.now();
    this.#due = null;
    this.#saved = { place: this.#place(), metadata };
    const written = this.#write(this.#lastIteration, metadata);
    this.#saving = written.then(
      (report) => {
        this.#lastSave = report;
        this.#saving = null;
      },
      () => {
        this.#saving = null;
      },
    );
    return written;
  }

  /**
   * Waits for the save that is being written, and makes the one that came due meanwhile. That is of the state now, and
   * has the metadata of the last `afterStep`; where the optimizer has gone on since without one it is not made.
   *
   * @throws what they throw
   */
  async finish(): Promise<void> {
    for (;;) {
      while (this.#saving !== null) await this.#saving;
      this.#rethrow();
      if (this.#due === null || this.#due.place !== this.#place()) return;
      this.#beginDue(this.#due.metadata);
    }
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
    this.#rethrow();
    return this.#folder.checkpoints();
  }

  /**
   * Loads the newest checkpoint that is whole; null when there is none and never was one.
   *
   * @param options those of `load`
   * @throws NOT_BUILT, checkpoint or none; what `load` throws, when a whole checkpoint does not fit the optimizer;
   *   CHECKPOINT when all are damaged (with the error of each in `cause.errors`, where they are several), or when the
   *   one that was saved last is gone and there is no other
   */
  async resume(options: LoadOptions = {}): Promise<ResumeReport | null> {
    this.#rethrow();
    checkBuilt(this.#optimizer);
    const { names, gone } = await this.#folder.inOrder();
    const damaged: CheckpointError[] = gone ? [gone] : [];
    for (const name of names) {
      try {
        const report = await this.#optimizer.load(this.#folder.pathOf(name), options);
        this.#lastIteration = this.#optimizer.iterations;
        this.#due = null;
        return { ...report, damaged };
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        damaged.push(error);
      }
    }
    const [newest, ...older] = damaged;
    if (newest === undefined) return null;
    throw older.length === 0 ? newest : noneIsWhole(this.#folder.path, newest, older);
  }

  /** @internal */
  [inspection](): object {
    return shownAs(this.constructor.name, () => ({
      ...shownOptions(this.#options),
      ...(this.#saving && { saving: true }),
      ...(this.#lastSave && { lastSave: this.#lastSave }),
    }));
  }

  #rethrow(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }
}

function noneIsWhole(folder: string, newest: CheckpointError, older: readonly CheckpointError[]): CheckpointError {
  const problem = `none of the ${older.length + 1} checkpoints in it is whole; the newest: ${newest.message}`;
  return new CheckpointError(folder, problem, {}, { cause: new AggregateError([newest, ...older], problem) });
}

/** A promise that begins when somebody waits for it, and that nobody has to: none is there before to be rejected. */
function whenAwaited(begin: () => Promise<void>): Promise<void> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: to be awaited is what it is for.
    then: (resolve, reject) => begin().then(resolve, reject),
    catch: (reject) => begin().catch(reject),
    finally: (done) => begin().finally(done),
    [Symbol.toStringTag]: "Promise",
  };
}
