/** The parameters copied once, by TypedArray.set(): what any program reaches without a library. */

import { type Contestant, type Subject, timed } from "../contestant.js";
import type { BenchMemory } from "../memory.js";

export class CopyContestant implements Contestant {
  readonly subject: Subject = {
    name: "copy",
    device: "cpu",
    threads: 1,
    dtype: "float32",
    options: "",
    bytes: 8,
    operations: 0,
  };
  readonly window = 1;
  readonly #memory: BenchMemory;
  #targets: Float32Array[];

  constructor(memory: BenchMemory) {
    this.#memory = memory;
    this.#targets = memory.parameters.map(({ value }) => new Float32Array(value.length));
  }

  run(steps: number): number {
    const { parameters } = this.#memory;
    return timed(() => {
      for (let step = 0; step < steps; step += 1) {
        for (let i = 0; i < parameters.length; i += 1) this.#targets[i]!.set(parameters[i]!.value);
      }
    });
  }

  dispose(): void {
    this.#targets = [];
  }
}
