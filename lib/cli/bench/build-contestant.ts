/** One build of the library as a contestant, in a process of its own: two builds cannot share one. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { AdamW } from "../../adamw.js";
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

/** @throws CommandError when the build cannot be loaded */
export async function openBuild(build: Build, spec: OwnSpec, work: Work, memory: StepMemory): Promise<Contestant> {
  // A binary that the user names would stand for both builds.
  const { FUSED_ADAMW_BINDING, ...env } = process.env;
  const child = fork(script, [build.index], { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const contestant = new BuildContestant(child, build, spec, memory);
  try {
    await contestant.begin(work);
    return contestant;
  } catch (error) {
    contestant.dispose();
    throw error;
  }
}

class BuildContestant implements Contestant {
  readonly subject: Subject;
  readonly window: number;
  readonly memory: StepMemory;
  readonly #child: ChildProcess;
  readonly #build: Build;
  readonly #spec: OwnSpec;
  readonly #ended: Promise<Reply>;
  #complaint = "";

  constructor(child: ChildProcess, build: Build, spec: OwnSpec, memory: StepMemory) {
    const { options, label } = spec.set;
    this.memory = memory;
    this.#child = child;
    this.#build = build;
    this.#spec = spec;
    this.#ended = once(child, "exit").then(() => ({ error: this.#complaint || "its process ended" }));
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
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
  }

  async begin({ parameters }: Work): Promise<void> {
    const { set, device, threads } = this.#spec;
    await this.#reply();
    await this.#ask({ build: { parameters, config: new AdamW(set.options).getConfig(), device, threads } });
  }

  async run(steps: number): Promise<number> {
    return (await this.#ask({ run: steps })) as number;
  }

  async #ask(order: object): Promise<unknown> {
    const reply = this.#reply();
    this.#child.send(order);
    return reply;
  }

  async #reply(): Promise<unknown> {
    const message = once(this.#child, "message").then(([reply]) => reply as Reply);
    const reply = await Promise.race([message, this.#ended]);
    if ("answer" in reply) return reply.answer;
    throw new CommandError("missing", `${this.#build.name} cannot be measured: ${reply.error}`);
  }

  dispose(): void {
    this.#child.kill();
  }
}
