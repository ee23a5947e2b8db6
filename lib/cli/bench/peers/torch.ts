/** PyTorch's fused AdamW on the CPU or a GPU, in a Python process of its own. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isRecord } from "../../../validate.js";
import { CommandError } from "../../exit.js";
import { packageRoot } from "../../package.js";
import type { Contestant, Subject } from "../contestant.js";
import { flopModel } from "../flop-model.js";
import { GpuMemory } from "../gpu-memory.js";
import type { PeerInput } from "./peer-input.js";

const script = join(packageRoot, "lib/cli/bench/peers/torch_adamw.py");

export async function openTorch({ work, memory, python, signal }: PeerInput): Promise<Contestant> {
  const link = new Link(python, signal);
  const lengths = work.parameters.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  try {
    const device = memory instanceof GpuMemory ? memory.device : "cpu";
    const answer = (await link.ask({ build: lengths, device })) as { version: string; threads: number };
    return new TorchContestant(link, answer, memory);
  } catch (error) {
    link.end();
    throw error;
  }
}

/** One JSON line there, one back. */
class Link {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #complaint = "";

  constructor(python: string, signal: AbortSignal) {
    this.#process = spawn(python, [script], { signal });
    this.#process.on("error", ({ message }) => {
      this.#complaint = message;
    });
    this.#process.stdin.on("error", () => {}); // it has ended: the missing answer tells
    createInterface({ input: this.#process.stderr }).on("line", (line) => {
      this.#complaint = line;
    });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ask(question: object): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#answers.next();
    const answer: unknown = done ? undefined : JSON.parse(value);
    if (isRecord(answer) && typeof answer.absent === "string") throw new CommandError("missing", answer.absent);
    if (!done) return answer;
    throw new CommandError("missing", `PyTorch did not answer (--python chooses another Python): ${this.#complaint}`);
  }

  end(): void {
    this.#process.kill();
  }
}

class TorchContestant implements Contestant {
  readonly subject: Subject;
  readonly window = 1;
  readonly memory: PeerInput["memory"];
  readonly #link: Link;

  constructor(link: Link, { version, threads }: { version: string; threads: number }, memory: PeerInput["memory"]) {
    this.#link = link;
    this.memory = memory;
    this.subject = {
      name: `PyTorch ${version} fused`,
      ...(memory instanceof GpuMemory
        ? { device: memory.device, model: memory.model, threads: null }
        : { device: "cpu", model: "", threads }),
      graph: false,
      dtype: "float32",
      options: "AdamW",
      bytes: 28,
      operations: flopModel({}),
    };
  }

  /** Timed over there, without the way there and back. */
  async run(steps: number): Promise<number> {
    return (await this.#link.ask({ run: steps })) as number;
  }

  dispose(): void {
    this.#link.end();
  }
}
