/**
 * The parameters copied once: by TypedArray.set(), which any program reaches without a library, or by a GPU's driver.
 */

import type { DeviceBuffer } from "../../../device-buffer.js";
import { openDevice } from "../../../open-device.js";
import type { Contestant, Subject } from "../contestant.js";
import { GpuMemory } from "../gpu-memory.js";
import type { HostMemory } from "../step-memory.js";
import { timed } from "../timed.js";
import type { PeerInput } from "./peer-input.js";

const common = { name: "copy", graph: false, dtype: "float32", options: "", bytes: 8, operations: 0 } as const;

export function openCopy({ memory }: PeerInput): Contestant {
  return memory instanceof GpuMemory ? new GpuCopy(memory) : new HostCopy(memory);
}

class HostCopy implements Contestant {
  readonly subject: Subject = { ...common, device: "cpu", model: "", threads: 1 };
  readonly window = 1;
  readonly memory: HostMemory;
  #targets: Float32Array[];

  constructor(memory: HostMemory) {
    this.memory = memory;
    this.#targets = memory.parameters.map(({ value }) => new Float32Array(value.length));
  }

  run(steps: number): number {
    const { parameters } = this.memory;
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

class GpuCopy implements Contestant {
  readonly subject: Subject;
  readonly window = 1;
  readonly memory: GpuMemory;
  readonly #targets: readonly DeviceBuffer[];

  constructor(memory: GpuMemory) {
    const { device, model, stream, parameters } = memory;
    this.subject = { ...common, device, model, threads: null };
    this.memory = memory;
    this.#targets = parameters.map(({ value }) => openDevice(device).allocate("float32", value.length, { stream }));
  }

  run(steps: number): number {
    const { parameters } = this.memory;
    return this.memory.timed(steps, () => {
      for (let i = 0; i < parameters.length; i += 1) this.#targets[i]!.copyFrom(parameters[i]!.value);
    });
  }

  dispose(): void {
    for (const target of this.#targets) target.dispose();
  }
}
