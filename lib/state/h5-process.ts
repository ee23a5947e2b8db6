/** HDF5 files through h5wasm, an optional package, in a process that can be given up. */

import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../child-environment.js";
import { AdamWError } from "../errors.js";
import { CheckpointError } from "./errors.js";

/** A dataset of a Keras file. */
export interface H5Variable {
  /** A name of `dtypes`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export type H5Value = Float32Array | Int32Array | BigInt64Array;

export type H5Request = { readonly id: number; readonly path: string } & (
  | { readonly kind: "read"; readonly groups: readonly string[]; readonly mostBytes: number }
  | { readonly kind: "list" }
  | { readonly kind: "write"; readonly values: readonly { readonly path: string; readonly value: H5Value }[] }
);

type Reply = { readonly id: number; readonly result?: unknown; readonly error?: string };
type Unsent<T> = T extends unknown ? Omit<T, "id"> : never;

/** MiB of JavaScript's heap; the library's own memory ends at 2 GiB. */
const heapMiB = 512;
const defaultDeadlineMs = 120_000;
const mostDiagnostics = 2000;

export class H5Process {
  /** What errors call the file; the one that is read may be a part of it. */
  readonly #path: string;
  readonly #child: ChildProcess;
  readonly #deadlineMs: number;
  #next = 1;
  #diagnostics = "";

  private constructor(path: string, child: ChildProcess, deadlineMs: number) {
    this.#path = path;
    this.#child = child;
    this.#deadlineMs = deadlineMs;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#diagnostics = (this.#diagnostics + text).slice(-mostDiagnostics);
    });
    child.stdout?.resume();
  }

  /** @throws MISSING_PACKAGE without h5wasm */
  static async start(path: string, deadlineMs = defaultDeadlineMs): Promise<H5Process> {
    try {
      createRequire(import.meta.url).resolve("h5wasm/package.json");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") {
        throw new AdamWError("MISSING_PACKAGE", `Keras' files need the package h5wasm: npm install h5wasm`, {
          cause: error,
        });
      }
    }
    const worker = fileURLToPath(new URL("./h5-worker.js", import.meta.url));
    // Nothing of this process' command line: `-e` would run the user's program again, which would start the worker
    // again.
    const child = fork(worker, {
      execArgv: [`--max-old-space-size=${heapMiB}`],
      env: childEnvironment(),
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const started = new H5Process(path, child, deadlineMs);
    await started.#reply(0);
    return started;
  }

  get alive(): boolean {
    return this.#child.connected;
  }

  /** The variables of each group, null for groups that are not there. @throws CHECKPOINT */
  async read(path: string, groups: readonly string[], mostBytes: number): Promise<(readonly H5Variable[] | null)[]> {
    return (await this.#ask({ kind: "read", path, groups, mostBytes })) as (readonly H5Variable[] | null)[];
  }

  /** The names of what is at the root. @throws CHECKPOINT */
  async list(path: string): Promise<readonly string[]> {
    return (await this.#ask({ kind: "list", path })) as readonly string[];
  }

  /** Sets datasets that exist. @throws CHECKPOINT */
  async write(path: string, values: readonly { readonly path: string; readonly value: H5Value }[]): Promise<void> {
    await this.#ask({ kind: "write", path, values });
  }

  #ask(request: Unsent<H5Request>): Promise<unknown> {
    const id = this.#next;
    this.#next += 1;
    this.#diagnostics = "";
    const reply = this.#reply(id);
    this.#child.send({ ...request, id }, () => {});
    return reply;
  }

  #reply(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const end = (act: () => void) => {
        clearTimeout(deadline);
        child.off("message", onMessage).off("exit", onExit).off("error", onExit);
        act();
      };
      const fail = (problem: string) => {
        const options = this.#diagnostics === "" ? undefined : { cause: new Error(this.#diagnostics) };
        end(() => reject(new CheckpointError(this.#path, `no file that Keras wrote: ${problem}`, {}, options)));
      };
      const onMessage = (reply: Reply) => {
        if (reply.id !== id) return;
        if (reply.error === undefined) end(() => resolve(reply.result));
        else fail(reply.error);
      };
      const onExit = () => fail("the HDF5 library gave up");
      const deadline = setTimeout(() => {
        child.kill("SIGKILL");
        fail(`the HDF5 library took longer than ${this.#deadlineMs} ms`);
      }, this.#deadlineMs);
      child.on("message", onMessage).on("exit", onExit).on("error", onExit);
      if (!child.connected) onExit();
    });
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}
