/** The devices a step can run on. */

import { availableParallelism } from "node:os";
import { unexpected } from "./errors.js";
import { deviceOf, type TensorMemory } from "./memory.js";
import { type DeviceFacts, type DeviceInfo, native } from "./native.js";
import { Stream, streamOn, streamPointer } from "./stream.js";
import { type Kind, oneOf, orNull, parse, parseRecord, text } from "./validate.js";

export type { DeviceInfo };

/**
 * Where to compute. A kind alone means the best of that kind; "auto" follows DeviceBuffers, else takes the best CPU.
 */
export interface RuntimeOptions {
  /** "auto", a kind ("cpu") or a name ("cpu:avx2"). @default "auto" */
  device?: string | undefined;
  /** Threads a step may use, the calling one included. @default FUSED_ADAMW_THREADS, else the available processors */
  threads?: number | undefined;
  /** On a GPU: where steps are put in order; a handle of CUDA's too. @default the device's default stream */
  stream?: Stream | bigint | undefined;
  /**
   * "cpu": beside a GPU, the state is in host memory and the CPU steps; parameters and gradients of the GPU come and go
   * during each step.
   *
   * @default null
   */
  offload?: Runtime["offload"] | undefined;
}

/** The runtime options with every field present. */
export interface Runtime {
  readonly device: string;
  readonly threads: number;
  readonly stream: Stream | bigint | undefined;
  readonly offload: "cpu" | null;
}

/** The names of the runtime options. */
export const runtimeKeys: readonly string[] = ["device", "threads", "stream", "offload"];

/** Workers are never dismissed, so a mistyped number must not hire them by the thousand. */
const mostThreads = 1024;

const threadCount: Kind<number> = {
  expected: `an integer from 1 to ${mostThreads}`,
  accepts: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= mostThreads,
};

/** @throws INVALID_ARGUMENT, for the environment variable too */
export function parseRuntime(runtime: RuntimeOptions): Runtime {
  const { device, threads, stream, offload = null } = parseRecord(runtime, "the runtime options", runtimeKeys);
  const parsed: Runtime = {
    device: parse(text, device ?? (stream instanceof Stream ? stream.device : "auto"), "device"),
    threads: threads === undefined ? defaultThreads() : parse(threadCount, threads, "threads"),
    stream: stream === undefined ? undefined : parse(streamKind, stream, "stream"),
    offload: parse(offloadKind, offload, "offload"),
  };
  checkOffload(parsed, parsed.device);
  return parsed;
}

/**
 * The stream to work on, on the device that is asked for or found by the memory at hand: arrays of the host are updated
 * where they are, beside a GPU too; a device that is named gets copies of them.
 *
 * @throws NO_DEVICE, DEVICE_MISMATCH, INVALID_ARGUMENT
 */
export function openStream(runtime: Runtime, memories: Iterable<TensorMemory | null>): Stream {
  const { device, stream } = runtime;
  const wanted = device === "auto" ? (deviceOf(memories) ?? "cpu") : device;
  const found = stream instanceof Stream ? stream : new Stream(new native.Stream(wanted, stream));
  if (stream instanceof Stream) streamOn(wanted, stream);
  checkOffload(runtime, found.device);
  return found;
}

/** Holds `offload` to the device that is asked for or found. @throws INVALID_ARGUMENT on a CPU device */
function checkOffload({ offload }: Runtime, device: string): void {
  if (offload === null || !/^cpu(:|$)/.test(device)) return;
  throw unexpected(`a GPU for offload: "${offload}" (device: "cuda", or "auto" with DeviceBuffers of one)`, device);
}

const offloadKind: Kind<Runtime["offload"]> = orNull(oneOf("cpu"));

const streamKind: Kind<Stream | bigint> = {
  expected: "a Stream or a handle of CUDA's as a bigint",
  accepts: (value) => value instanceof Stream || (typeof value === "bigint" && streamPointer.accepts(value)),
};

function defaultThreads(): number {
  const wanted = process.env.FUSED_ADAMW_THREADS;
  // Heeds the process' affinity and, where Node does, a container's share of the processors.
  if (!wanted) return Math.min(availableParallelism(), mostThreads);
  return parse(threadCount, /^\d+$/.test(wanted) ? Number(wanted) : wanted, "FUSED_ADAMW_THREADS");
}

/** For diagnoses. @throws NO_DEVICE, CUDA */
export function deviceFacts(name: string): DeviceFacts {
  return native.facts(name);
}

/** Every device this build knows, best first; those this machine lacks say why in `reason`. */
export function devices(): DeviceInfo[] {
  return native.devices();
}
