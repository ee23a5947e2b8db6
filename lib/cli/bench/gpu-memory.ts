/**
 * The parameters and gradients of a benchmark in a GPU's memory, and the stream on which all work there is put in
 * order.
 */

import { deviceFacts, devices } from "../../device.js";
import type { DeviceBuffer } from "../../device-buffer.js";
import { openDevice } from "../../open-device.js";
import type { Stream } from "../../stream.js";
import type { HostMemory, StepMemory } from "./step-memory.js";

interface GpuParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly value: DeviceBuffer<"float32">;
  readonly gradient: DeviceBuffer<"float32">;
}

export class GpuMemory implements StepMemory {
  readonly device: string;
  /** What its maker calls it. */
  readonly model: string;
  readonly stream: Stream;
  readonly source: HostMemory;
  readonly parameters: readonly GpuParameter[];
  /** Twice the last cache. */
  readonly #junkElements: number;
  #junk: DeviceBuffer<"float32"> | undefined;

  /** @throws OUT_OF_MEMORY, CUDA */
  constructor(name: string, source: HostMemory) {
    const device = openDevice(name);
    this.device = device.name;
    this.model = devices().find((one) => one.name === device.name)?.model ?? "";
    this.stream = device.createStream();
    this.source = source;
    this.#junkElements = (2 * deviceFacts(device.name).cache) / Float32Array.BYTES_PER_ELEMENT;
    const options = { stream: this.stream };
    this.parameters = source.parameters.map(({ name, shape, value, gradient }) => ({
      name,
      shape,
      value: device.allocate("float32", value.length, options).write(value),
      gradient: device.allocate("float32", gradient.length, options).write(gradient),
    }));
  }

  values(row: number): Float32Array {
    return this.parameters[row]!.value.read();
  }

  async reset(signal?: AbortSignal): Promise<void> {
    await this.source.reset(signal);
    for (const [row, { value }] of this.parameters.entries()) value.write(this.source.values(row));
    this.#writeGradients();
  }

  restoreGradients(): void {
    const first = new Float32Array(1);
    const wasZeroed = ({ gradient }: GpuParameter) => gradient.length > 0 && gradient.read(first)[0] === 0;
    if (!this.parameters.some(wasZeroed)) return;
    this.source.restoreGradients();
    this.#writeGradients();
  }

  #writeGradients(): void {
    for (const [row, { gradient }] of this.parameters.entries()) gradient.write(this.source.parameters[row]!.gradient);
  }

  /** Writes twice the last cache, and waits: what comes next may be another process'. */
  flushCaches(): void {
    this.#junk ??= openDevice(this.device).allocate("float32", this.#junkElements, { stream: this.stream });
    this.#junk.fill(1);
    this.stream.synchronize();
  }

  /** Seconds on the device, from before the first call to after the last; each puts work on the stream. */
  timed(count: number, act: () => void): number {
    const begin = this.stream.record();
    for (let i = 0; i < count; i += 1) act();
    return this.stream.record().since(begin) / 1000;
  }

  dispose(): void {
    for (const { value, gradient } of this.parameters) {
      value.dispose();
      gradient.dispose();
    }
    this.#junk?.dispose();
    this.stream.dispose();
  }
}
