/** Who takes part in a benchmark: something that can take steps over shared memory, ours or a peer's. */

import { AdamW, coreOf } from "../../adamw.js";
import type { OptionSet } from "../option-sets.js";
import { ownName } from "./build.js";
import { byteModel } from "./byte-model.js";
import { flopModel } from "./flop-model.js";
import type { StepMemory } from "./step-memory.js";
import { timed } from "./timed.js";

/** What a row of the result is about. */
export interface Subject {
  /** "fused-adamw", "tf.train.adam", … */
  readonly name: string;
  readonly device: string;
  /** Of a GPU: what its maker calls it. Else empty. */
  readonly model: string;
  /** Null where the contestant decides. */
  readonly threads: number | null;
  /** Whether a captured step is replayed, on a GPU. */
  readonly graph: boolean;
  readonly dtype: "float32";
  readonly options: string;
  /** Bytes per parameter and step. */
  readonly bytes: number;
  /** Arithmetic operations per parameter and step; 0 where there are none. */
  readonly operations: number;
}

export interface Contestant {
  readonly subject: Subject;
  /** Steps are taken in multiples of this: one update. */
  readonly window: number;
  /** What it works on, or what is beside it in the caches. */
  readonly memory: StepMemory;
  /**
   * Starts it anew, in a process and memory of its own; it cannot run before. Absent where it works in this process.
   *
   * @throws CommandError when it cannot be started
   */
  renew?(): Promise<void>;
  /** Ends that process and waits until its memory is free. */
  retire?(): Promise<void>;
  /** Seconds that `steps` steps took. */
  run(steps: number): Promise<number> | number;
  /** Absent where the device has none. */
  readonly stream?: StreamingPass;
  dispose(): void;
}

/** Bytes per parameter of one pass, and the seconds that some take. */
export interface StreamingPass {
  readonly bytes: number;
  run(passes: number): number;
}

export interface OwnSpec {
  readonly device: string;
  readonly threads: number;
  readonly set: OptionSet;
  readonly dtype: "float32";
  /** On a GPU: a captured step is replayed. */
  readonly graph: boolean;
}

/** Ours on a CPU. */
export class OwnContestant implements Contestant {
  readonly subject: Subject;
  readonly window: number;
  readonly memory: StepMemory;
  readonly optimizer: AdamW;
  readonly stream?: StreamingPass;

  constructor({ device, threads, set, dtype }: OwnSpec, memory: StepMemory) {
    const model = byteModel(set.options);
    this.memory = memory;
    this.window = set.options.gradientAccumulationSteps || 1;
    this.optimizer = new AdamW(set.options, { device, threads }).build(memory.parameters);
    this.subject = {
      name: ownName,
      device: this.optimizer.device,
      model: "",
      threads,
      graph: false,
      dtype,
      options: set.label,
      bytes: model.step,
      operations: flopModel(set.options),
    };
    const engine = this.optimizer[coreOf].lifecycle.idle;
    if (engine.streamPass()) {
      this.stream = {
        bytes: model.update,
        run: (passes) =>
          timed(() => {
            for (let i = 0; i < passes; i += 1) engine.streamPass();
          }),
      };
    }
  }

  run(steps: number): number {
    return timed(() => {
      for (let i = 0; i < steps; i += 1) this.optimizer.step();
    });
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}
