/** The devices a step can run on. */

import { availableParallelism } from "node:os";
import { type DeviceInfo, native } from "./native.js";
import { type Kind, parse, parseRecord, text } from "./validate.js";

export type { DeviceInfo };

/** Where to compute. A kind alone means the best of that kind; "auto" follows DeviceBuffers, else takes the best CPU. */
export interface RuntimeOptions {
  /** "auto", a kind ("cpu") or a name ("cpu:avx2"). @default "auto" */
  device?: string | undefined;
  /** Threads a step may use, the calling one included. @default FUSED_ADAMW_THREADS, else the available processors */
  threads?: number | undefined;
}

/** The runtime options with every field present. */
export interface Runtime {
  readonly device: string;
  readonly threads: number;
}

/** Workers are never dismissed, so a mistyped number must not hire them by the thousand. */
const mostThreads = 1024;

const threadCount: Kind<number> = {
  expected: `an integer from 1 to ${mostThreads}`,
  accepts: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= mostThreads,
};

/** @throws INVALID_ARGUMENT, for the environment variable too */
export function parseRuntime(runtime: RuntimeOptions): Runtime {
  const { device = "auto", threads } = parseRecord(runtime, "the runtime options", ["device", "threads"]);
  return {
    device: parse(text, device, "device"),
    threads: threads === undefined ? defaultThreads() : parse(threadCount, threads, "threads"),
  };
}

function defaultThreads(): number {
  const wanted = process.env.FUSED_ADAMW_THREADS;
  // Heeds the process' affinity and, where Node does, a container's share of the processors.
  if (!wanted) return Math.min(availableParallelism(), mostThreads);
  return parse(threadCount, /^\d+$/.test(wanted) ? Number(wanted) : wanted, "FUSED_ADAMW_THREADS");
}

/** Every device this build knows, best first; those this machine lacks say why in `reason`. */
export function devices(): DeviceInfo[] {
  return native.devices();
}
