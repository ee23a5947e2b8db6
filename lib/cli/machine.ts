/** What this machine is, as far as it bears on the speed of a step. */

import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { availableMemory } from "node:process";

export interface Machine {
  readonly system: string;
  readonly node: string;
  readonly cpu: string;
  /** Processors this process may use, and those there are. */
  readonly processors: number;
  readonly allProcessors: number;
  /** Threads of a step where nobody says otherwise. */
  readonly threads: number;
  /** "L1d 32K, L2 1024K, L3 32768K", empty where the system does not say. */
  readonly caches: string;
  /** Bytes of the largest cache of a processor; undefined where the system does not say. */
  readonly lastCache: number | undefined;
  /** In bytes. */
  readonly memory: number;
  readonly freeMemory: number;
  /** "always", "madvise" or "never"; undefined outside Linux. */
  readonly hugePages: string | undefined;
}

export function describeMachine(): Machine {
  const caches = readCaches();
  return {
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    allProcessors: cpus().length,
    threads: Number.parseInt(process.env.FUSED_ADAMW_THREADS ?? "", 10) || availableParallelism(),
    caches: caches.map(({ name, size }) => `${name} ${size}`).join(", "),
    lastCache: caches.length === 0 ? undefined : Math.max(...caches.map(({ bytes }) => bytes)),
    memory: totalmem(),
    freeMemory: availableMemory(),
    hugePages: readText("/sys/kernel/mm/transparent_hugepage/enabled")?.match(/\[(\w+)\]/)?.[1],
  };
}

/** The text of a file of the system; undefined where there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

interface Cache {
  readonly name: string;
  readonly size: string;
  readonly bytes: number;
}

/** Data caches of the first processor: /sys/devices/system/cpu, as Documentation/ABI of Linux has it. */
function readCaches(): Cache[] {
  const found: Cache[] = [];
  for (let i = 0; i < 8; i += 1) {
    const read = (file: string) => readText(`/sys/devices/system/cpu/cpu0/cache/index${i}/${file}`);
    const [level, type, size] = [read("level"), read("type"), read("size")];
    if (level === undefined || type === undefined || size === undefined || type === "Instruction") continue;
    const [, number = "0", unit = ""] = /^(\d+)([KM]?)/.exec(size) ?? [];
    const bytes = Number(number) * ({ K: 1024, M: 1024 ** 2 }[unit] ?? 1);
    found.push({ name: `L${level}${type === "Data" ? "d" : ""}`, size, bytes });
  }
  return found;
}
