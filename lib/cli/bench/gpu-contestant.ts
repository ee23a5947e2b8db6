/** Ours on a GPU: batches of launches between two events. */

import { AdamW, coreOf } from "../../adamw.js";
import type { Graph } from "../../stream.js";
import { ownName } from "./build.js";
import { byteModel } from "./byte-model.js";
import type { Contestant, OwnSpec, StreamingPass, Subject } from "./contestant.js";
import { flopModel } from "./flop-model.js";
import type { GpuMemory } from "./gpu-memory.js";

export class GpuContestant implements Contestant {
  readonly subject: Subject;
  readonly window: number;
  readonly memory: GpuMemory;
  readonly stream?: StreamingPass;
  readonly #optimizer: AdamW;
  readonly #graph: Graph | undefined;
  /** Puts one step on the stream. */
  readonly #step: () => void;

  constructor({ device, set, dtype, graph }: OwnSpec, memory: GpuMemory) {
    const model = byteModel(set.options);
    this.memory = memory;
    this.window = set.options.gradientAccumulationSteps || 1;
    this.#optimizer = new AdamW(set.options, { device, stream: memory.stream }).build(memory.parameters);
    const step = () => this.#optimizer.step();
    this.#graph = graph ? memory.stream.capture(step) : undefined;
    this.#step = this.#graph ? () => this.#graph?.launch() : step;
    this.subject = {
      name: ownName,
      device: this.#optimizer.device,
      model: memory.model,
      threads: null,
      graph,
      dtype,
      options: set.label,
      bytes: model.step,
      operations: flopModel(set.options),
    };
    const engine = this.#optimizer[coreOf].lifecycle.idle;
    if (engine.streamPass()) {
      this.stream = { bytes: model.update, run: (passes) => memory.timed(passes, () => engine.streamPass()) };
    }
  }

  run(steps: number): number {
    return this.memory.timed(steps, this.#step);
  }

  dispose(): void {
    this.#graph?.dispose();
    this.#optimizer.dispose();
  }
}
