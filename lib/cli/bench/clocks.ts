/**
 * Clocks of GPUs and what holds them down, as NVIDIA's management library tells them through its program nvidia-smi:
 * sampled before, during and after what is measured, so that a slowdown in the middle is seen too.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** One moment of one GPU. Null: this GPU does not say. */
interface ClockSample {
  readonly bus: string;
  /** In MHz. */
  readonly processor: number | null;
  readonly memory: number | null;
  /** In °C. */
  readonly temperature: number | null;
  /** In W. */
  readonly power: number | null;
  /** Bits of `reasons`. */
  readonly held: number;
}

/** What was seen of a GPU while one piece of work was measured: lowest and highest. */
export interface ClockRecord {
  readonly device: string;
  readonly work: string;
  readonly samples: number;
  readonly processor: readonly [low: number, high: number] | null;
  readonly memory: readonly [low: number, high: number] | null;
  readonly temperature: readonly [low: number, high: number] | null;
  readonly power: readonly [low: number, high: number] | null;
  /** Samples in which something held the clocks down, by its name. */
  readonly held: Readonly<Record<string, number>>;
}

/** https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html; being idle (1) slows nothing. */
const reasons: readonly (readonly [bit: number, name: string])[] = [
  [0x2, "clocks set by a user"],
  [0x4, "power cap"],
  [0x8, "hardware slowdown"],
  [0x10, "sync boost"],
  [0x20, "software thermal slowdown"],
  [0x40, "hardware thermal slowdown"],
  [0x80, "power brake"],
  [0x100, "display clocks"],
];

const program = "nvidia-smi";
const values = ["pci.bus_id", "clocks.sm", "clocks.mem", "temperature.gpu", "power.draw"];
/** The second is what drivers before 535 call it. */
const reasonFields = ["clocks_event_reasons.active", "clocks_throttle_reasons.active"];
const intervalMilliseconds = 200;
/** The driver may have to wake up first. */
const mostMilliseconds = 5000;

export class ClockWatch {
  readonly #samples: ClockSample[] = [];
  /** Why there are no samples; empty when there are. */
  #missing = "";
  #process: ChildProcess | undefined;
  #ended = false;

  private constructor() {}

  /** Begins; where nvidia-smi is not there, or says nothing, `missing` says so. */
  static async start(): Promise<ClockWatch> {
    const watch = new ClockWatch();
    for (const field of reasonFields) {
      watch.#begin([...values, field]);
      if (await watch.next()) return watch;
      watch.stop();
    }
    return watch;
  }

  get missing(): string {
    return this.#samples.length > 0 ? "" : this.#missing || `${program} says nothing`;
  }

  /** How many there are: a mark for `since`. */
  get count(): number {
    return this.#samples.length;
  }

  /** Waits for a sample that is taken from now on; false: none comes. */
  async next(): Promise<boolean> {
    const { count } = this;
    // The one that is under way may be older.
    const wanted = count === 0 ? 1 : count + 2;
    const end = performance.now() + mostMilliseconds;
    while (this.count < wanted && !this.#ended && performance.now() < end) await pause(intervalMilliseconds / 10);
    return this.count >= wanted;
  }

  stop(): void {
    this.#ended = true;
    this.#process?.kill();
  }

  /** What was seen of the GPU from that mark on. */
  since(mark: number, device: string, bus: string, work: string): ClockRecord {
    const mine = this.#samples.slice(mark).filter((sample) => sameBus(sample.bus, bus));
    const range = (key: "processor" | "memory" | "temperature" | "power") => {
      const list = mine.flatMap((sample) => sample[key] ?? []);
      return list.length === 0 ? null : ([Math.min(...list), Math.max(...list)] as const);
    };
    const held = reasons
      .map(([bit, name]) => [name, mine.filter((sample) => (sample.held & bit) !== 0).length] as const)
      .filter(([, samples]) => samples > 0);
    return {
      device,
      work,
      samples: mine.length,
      processor: range("processor"),
      memory: range("memory"),
      temperature: range("temperature"),
      power: range("power"),
      held: Object.fromEntries(held),
    };
  }

  #begin(fields: readonly string[]): void {
    const query = [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"];
    const child = spawn(program, [...query, `--loop-ms=${intervalMilliseconds}`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#process = child;
    this.#ended = false;
    child.on("error", ({ message }) => {
      this.#missing = (message.includes("ENOENT") && `${program} was not found`) || message;
      this.#ended = true;
    });
    void once(child, "exit")
      .then(() => {
        if (this.#process === child) this.#ended = true;
      })
      .catch(() => {});
    createInterface({ input: child.stdout }).on("line", (line) => {
      const sample = parseSample(line);
      if (sample) this.#samples.push(sample);
      else if (this.#samples.length === 0) this.#missing = `${program}: ${line}`;
    });
  }
}

/** "00000000:01:00.0, 1980, 2619, 45, 312.11, 0x0000000000000004"; undefined for a line that is none. */
export function parseSample(line: string): ClockSample | undefined {
  const [bus = "", processor, memory, temperature, power, held, ...more] = line.split(",").map((word) => word.trim());
  if (!/^[\da-f]+:[\da-f]+:[\da-f]+\.\d$/i.test(bus) || held === undefined || more.length > 0) return undefined;
  const number = (word: string | undefined) => (word !== undefined && /^[\d.]+$/.test(word) ? Number(word) : null);
  return {
    bus,
    processor: number(processor),
    memory: number(memory),
    temperature: number(temperature),
    power: number(power),
    held: /^0x[\da-f]+$/i.test(held) ? Number(held) : 0,
  };
}

/** The one writes the domain with eight digits, the other with four. */
function sameBus(a: string, b: string): boolean {
  const short = (bus: string) => bus.toLowerCase().replace(/^0+(?=[\da-f]+:[\da-f]+:)/, "");
  return short(a) === short(b);
}
