/** Who is measured, as rows of data, and the process of each. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Case } from "./cases.js";
import type { Convention } from "./oracle.js";

interface Row extends Convention {
  readonly program: "tsx" | "python" | "native";
  readonly arguments: readonly string[];
  /** Thread counts to try; a program that takes all processors and cannot be told otherwise has one entry. */
  readonly threads: readonly number[];
  /** False: it computes nothing that could be compared. */
  readonly verified: boolean;
}

const usual = { formula: "torch", decays: true, zeroes: true, verified: true, threads: [1, 2] } as const;

export const contestants: Readonly<Record<string, Row>> = {
  ours: { ...usual, formula: "keras", program: "tsx", arguments: ["ours.ts"] },
  "ours-apply": { ...usual, formula: "keras", program: "tsx", arguments: ["ours.ts", "apply"] },
  engine: { ...usual, formula: "keras", program: "native", arguments: ["engine"] },
  stream: { ...usual, verified: false, program: "native", arguments: ["stream"] },
  loop: { ...usual, verified: false, program: "native", arguments: ["loop"] },
  "torch-fused": { ...usual, program: "python", arguments: ["peers/torch_adamw.py", "fused"] },
  "torch-foreach": { ...usual, program: "python", arguments: ["peers/torch_adamw.py", "foreach"] },
  deepspeed: { ...usual, program: "python", arguments: ["peers/deepspeed_adamw.py"] },
  "keras-torch": { ...usual, formula: "keras", program: "python", arguments: ["peers/keras_adamw.py", "torch"] },
  "keras-jax": {
    ...usual,
    formula: "keras",
    zeroes: false,
    threads: [2],
    program: "python",
    arguments: ["peers/keras_adamw.py", "jax"],
  },
  optax: { ...usual, threads: [2], program: "python", arguments: ["peers/optax_adamw.py"] },
  "tfjs-cpu": { ...usual, decays: false, threads: [1], program: "tsx", arguments: ["peers/tfjs.ts", "cpu"] },
  "tfjs-wasm": { ...usual, decays: false, threads: [1], program: "tsx", arguments: ["peers/tfjs.ts", "wasm"] },
};

const here = dirname(fileURLToPath(import.meta.url));

export class Contestant {
  readonly name: string;
  readonly row: Row;
  readonly #process: ChildProcessWithoutNullStreams;
  /** The newest error on its standard error. */
  #complaint = "";
  readonly #answers: AsyncIterator<string>;

  /** `commands`: how each kind of program is started. */
  constructor(name: string, commands: Readonly<Record<Row["program"], readonly string[]>>) {
    const row = contestants[name];
    if (!row) throw new Error(`There is no contestant ${name}`);
    this.name = name;
    this.row = row;
    const [command = "", ...first] = commands[row.program];
    this.#process = spawn(command, [...first, ...row.arguments], { cwd: here });
    this.#process.on("error", ({ message }) => {
      this.#complaint = message;
    });
    createInterface({ input: this.#process.stderr }).on("line", (line) => {
      if (/error/i.test(line)) this.#complaint = line.trim();
    });
    this.#process.stdin.on("error", () => {}); // it has ended: the missing answer tells
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async #ask(line: string, expected: string): Promise<string> {
    this.#process.stdin.write(`${line}\n`);
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done) throw new Error(this.#complaint || `it ended without an answer to "${line.slice(0, 40)}"`);
      const [word = "", ...rest] = value.split(" ");
      if (word === expected) return rest.join(" ");
      if (word === "absent") throw new Error(rest.join(" "));
    }
  }

  /** What it is, with its version. Throws when it is not installed. */
  build({ work, lengths }: Case): Promise<string> {
    return this.#ask(["build", work, ...lengths].join(" "), "ready");
  }

  /** Nanoseconds per step. */
  async run(threads: number, steps: number): Promise<number> {
    return Number(await this.#ask(`run ${threads} ${steps}`, "took")) / steps;
  }

  async sample(places: readonly { row: number; index: number }[]): Promise<number[]> {
    const words = places.map(({ row, index }) => `${row}:${index}`);
    return (await this.#ask(["sample", ...words].join(" "), "sample")).split(" ").map(Number);
  }

  end(): void {
    this.#process.kill();
  }
}

/** How to start each kind of program. */
export function commands(python: string, build: string): Readonly<Record<Row["program"], readonly string[]>> {
  return {
    tsx: [process.execPath, "--import=tsx"],
    python: [python],
    native: [join(build, "contestant")],
  };
}
