/** Who takes part in a benchmark: something that can take steps over shared memory, ours or a peer's. */

import { AdamW, coreOf } from "../../adamw.js";
import type { OptionSet } from "../option-sets.js";
import { byteModel } from "./byte-model.js";
import { flopModel } from "./flop-model.js";
import type { BenchMemory } from "./memory.js";

/** What a row of the result is about. */
export interface Subject {
  /** "fused-adamw", "tf.train.adam", … */
  readonly name: string;
  readonly device: string;
  /** Null where the contestant decides. */
  readonly threads: number | null;
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
  /** Seconds that `steps` steps took. */
  run(steps: number): Promise<number> | number;
  /** Bytes per parameter of the streaming pass, and the seconds it takes; absent where the device has none. */
  readonly stream?: { readonly bytes: number; run(passes: number): number };
  dispose(): void;
}

/** Seconds. */
export function timed(act: () => void): number {
  const start = process.hrtime.bigint();
  act();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

export interface OwnSpec {
  readonly device: string;
  readonly threads: number;
  readonly set: OptionSet;
  readonly dtype: "float32";
}

export class OwnContestant implements Contestant {
  readonly subject: Subject;
  readonly window: number;
  readonly optimizer: AdamW;
  readonly stream?: { readonly bytes: number; run(passes: number): number };

  constructor({ device, threads, set, dtype }: OwnSpec, memory: BenchMemory) {
    const model = byteModel(set.options);
    this.window = set.options.gradientAccumulationSteps || 1;
    this.optimizer = new AdamW(set.options, { device, threads }).build(memory.parameters);
    this.subject = {
      name: "fused-adamw",
      device: this.optimizer.device,
      threads: device.startsWith("cpu") ? threads : null,
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

  /** On a device that computes behind the program's back, the wait is part of it. */
  run(steps: number): number {
    return timed(() => {
      for (let i = 0; i < steps; i += 1) this.optimizer.step();
      this.optimizer.synchronize();
    });
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}
