/** One build of the library as a contestant, in a process of its own: two builds cannot share one. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { AdamW } from "../../adamw.js";
import { childEnvironment } from "../../child-environment.js";
import { devices } from "../../device.js";
import { CommandError } from "../exit.js";
import type { Work } from "../work.js";
import type { Build } from "./build.js";
import { byteModel } from "./byte-model.js";
import type { Contestant, OwnSpec, Subject } from "./contestant.js";
import { flopModel } from "./flop-model.js";
import type { StepMemory } from "./step-memory.js";
import type { Reply } from "./worker.js";

const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));

export class BuildContestant implements Contestant {
  readonly subject: Subject;
  readonly window: number;
  readonly memory: StepMemory;
  readonly #build: Build;
  readonly #spec: OwnSpec;
  readonly #work: Work;
  readonly #signal: AbortSignal;
  #process: BuildProcess | undefined;

  /** `memory`: what is beside it in the caches; its own is in its process, which `signal` ends. */
  constructor(build: Build, spec: OwnSpec, work: Work, memory: StepMemory, signal: AbortSignal) {
    const { options, label } = spec.set;
    this.memory = memory;
    this.#build = build;
    this.#spec = spec;
    this.#work = work;
    this.#signal = signal;
    this.window = options.gradientAccumulationSteps || 1;
    this.subject = {
      name: build.name,
      device: spec.device,
      model: devices().find(({ name }) => name === spec.device)?.model ?? "",
      threads: spec.device.startsWith("cpu") ? spec.threads : null,
      graph: false,
      dtype: spec.dtype,
      options: label,
      bytes: byteModel(options).step,
      operations: flopModel(options),
    };
  }

  async retire(): Promise<void> {
    await this.#process?.end();
  }

  async renew(): Promise<void> {
    await this.retire();
    const { set, device, threads } = this.#spec;
    this.#process = new BuildProcess(this.#build, this.#signal);
    await this.#process.ready;
    const config = new AdamW(set.options).getConfig();
    await this.#process.ask({ build: { parameters: this.#work.parameters, config, device, threads } });
  }

  async run(steps: number): Promise<number> {
    return (await this.#process!.ask({ run: steps })) as number;
  }

  dispose(): void {
    void this.retire();
  }
}

/** A process with one build, which answers one question after the other. */
class BuildProcess {
  /** Rejects with a CommandError when the build cannot be loaded. */
  readonly ready: Promise<unknown>;
  readonly #build: Build;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Reply>;
  #complaint = "";

  constructor(build: Build, signal: AbortSignal) {
    this.#build = build;
    // A binary that the user names would stand for both builds.
    const { FUSED_ADAMW_BINDING, ...env } = childEnvironment();
    const child = fork(script, [build.index], { env, stdio: ["ignore", "ignore", "pipe", "ipc"], signal });
    this.#child = child;
    this.#ended = once(child, "exit").then(
      () => ({ error: this.#complaint || "its process ended" }),
      ({ message }: Error) => ({ error: message }),
    );
    child.on("error", () => {}); // the end tells
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
    this.ready = this.#reply();
  }

  ask(order: object): Promise<unknown> {
    const reply = this.#reply();
    if (this.#child.connected) this.#child.send(order);
    return reply;
  }

  async #reply(): Promise<unknown> {
    const message = once(this.#child, "message").then(
      ([reply]) => reply as Reply,
      () => this.#ended,
    );
    const reply = await Promise.race([message, this.#ended]);
    if ("answer" in reply) return reply.answer;
    throw new CommandError("missing", `${this.#build.name} cannot be measured: ${reply.error}`);
  }

  /** Waits until its memory is free again. */
  async end(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}
