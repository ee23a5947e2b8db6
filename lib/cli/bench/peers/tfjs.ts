/** TensorFlow.js' tf.train.adam on its fastest installed backend. */

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as TensorFlow from "@tensorflow/tfjs-core";
import { CommandError } from "../../exit.js";
import type { Contestant, Subject } from "../contestant.js";
import { flopModel } from "../flop-model.js";
import type { HostMemory } from "../step-memory.js";
import { timed } from "../timed.js";
import type { PeerInput } from "./peer-input.js";

const core = "@tensorflow/tfjs-core";
/** The fastest first. */
const backends = ["wasm", "cpu"];

/** From the user's project, else from where this package stands. */
async function load(name: string): Promise<unknown> {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return await import(pathToFileURL(createRequire(from).resolve(name)).href);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

export async function openTfjs({ memory }: PeerInput): Promise<Contestant> {
  const tf = (await load(core)) as typeof TensorFlow | undefined;
  const install = `npm install ${core} @tensorflow/tfjs-backend-wasm`;
  if (!tf) throw new CommandError("missing", `TensorFlow.js is not installed: ${install}`);
  tf.enableProdMode();
  for (const backend of backends) {
    if ((await load(`@tensorflow/tfjs-backend-${backend}`)) === undefined) continue;
    if (!(await tf.setBackend(backend))) continue;
    await tf.ready();
    return new TfjsContestant(tf, backend, memory.source);
  }
  throw new CommandError("missing", `TensorFlow.js has no backend: ${install}`);
}

class TfjsContestant implements Contestant {
  readonly subject: Subject;
  readonly window = 1;
  readonly memory: HostMemory;
  readonly #tf: typeof TensorFlow;
  readonly #optimizer: TensorFlow.Optimizer;
  readonly #variables: TensorFlow.Variable[];
  readonly #gradients: { name: string; tensor: TensorFlow.Tensor }[];

  constructor(tf: typeof TensorFlow, backend: string, memory: HostMemory) {
    const { parameters } = memory;
    this.#tf = tf;
    this.memory = memory;
    this.subject = {
      name: `tf.train.adam ${tf.version_core}`,
      device: backend,
      model: "",
      threads: null,
      graph: false,
      dtype: "float32",
      options: "Adam",
      bytes: 28,
      operations: flopModel({}),
    };
    this.#optimizer = tf.train.adam();
    this.#variables = parameters.map(({ value }) => tf.tidy(() => tf.variable(tf.tensor1d(value), true)));
    this.#gradients = parameters.map(({ gradient }, i) => ({
      name: this.#variables[i]!.name,
      tensor: tf.tensor1d(gradient),
    }));
  }

  /** Both backends compute when they are called: there is nothing to wait for. */
  run(steps: number): number {
    return timed(() => {
      for (let i = 0; i < steps; i += 1) this.#tf.tidy(() => this.#optimizer.applyGradients(this.#gradients));
    });
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#tf.dispose([this.#variables, this.#gradients.map(({ tensor }) => tensor)]);
  }
}
