/** Measures one piece of work after the other. */

import { setImmediate } from "node:timers/promises";
import { AdamW } from "../../adamw.js";
import { failureOf } from "../exit.js";
import type { Machine } from "../machine.js";
import type { Work } from "../work.js";
import { thisBuild } from "./build.js";
import { BuildContestant } from "./build-contestant.js";
import { type ClockRecord, ClockWatch } from "./clocks.js";
import { type Contestant, OwnContestant, type OwnSpec } from "./contestant.js";
import { isEmulated } from "./emulated.js";
import { GpuContestant } from "./gpu-contestant.js";
import { GpuMemory } from "./gpu-memory.js";
import { gpusOf } from "./gpus.js";
import { BenchMemory } from "./memory.js";
import { peers } from "./peers/peers.js";
import type { BenchDocument, BenchRow } from "./result.js";
import { checkRoom } from "./room.js";
import { takeRounds } from "./rounds.js";
import type { BenchSpec } from "./spec.js";
import { verify } from "./verify.js";

export interface BenchHooks {
  /** Aborted when Ctrl-C is pressed. */
  readonly signal: AbortSignal;
  /** `done`: from 0 to 1. */
  readonly onProgress: (done: number, work: string, what: string) => void;
}

type Measured = Pick<BenchDocument, "rows" | "absent" | "gpus" | "clocks" | "clocksMissing">;

/** Rows of all work that was begun; `signal` ends it after the sample or the preparation at hand. */
export async function runBench(
  spec: BenchSpec,
  { signal, onProgress }: BenchHooks,
  { freeMemory, lastCache }: Machine,
): Promise<Measured> {
  for (const work of spec.works) checkRoom(work, spec, freeMemory);
  const rows: BenchRow[] = [];
  const absent = new Map<string, string>();
  const gpus = gpusOf(spec.own.map(({ device }) => device));
  const clocks: ClockRecord[] = [];
  const watch = gpus.some((gpu) => !isEmulated(gpu)) ? await ClockWatch.start() : undefined;
  try {
    for (const [i, work] of spec.works.entries()) {
      if (signal.aborted) break;
      const tell = (done: number, what: string) => onProgress((i + done) / spec.works.length, work.label, what);
      const mark = watch?.count ?? 0;
      rows.push(...(await measureWork({ work, spec, absent, signal, tell, lastCache })));
      if (!watch) continue;
      await watch.next();
      clocks.push(...gpus.map(({ device, bus }) => watch.since(mark, device, bus, work.label)));
    }
  } finally {
    watch?.stop();
  }
  return {
    rows,
    gpus,
    clocks,
    clocksMissing: watch?.missing ?? "",
    absent: Array.from(absent, ([name, reason]) => ({ name, reason })),
  };
}

interface Task {
  readonly work: Work;
  readonly spec: BenchSpec;
  /** Peers that are not here, by name, with the reason. */
  readonly absent: Map<string, string>;
  readonly signal: AbortSignal;
  readonly tell: (done: number, what: string) => void;
  readonly lastCache: number | undefined;
}

async function measureWork(task: Task): Promise<BenchRow[]> {
  const { work, spec, signal, tell } = task;
  const gpus = new Map<string, GpuMemory>();
  const contestants: Contestant[] = [];
  try {
    // Between its parts a Ctrl-C is heard.
    for await (const contestant of gather(task, gpus)) {
      contestants.push(contestant);
      await setImmediate(undefined, { signal });
    }
    const samples = await takeRounds(contestants, spec, signal, ({ subject }, done) =>
      tell(done, `${subject.name} ${subject.device}`),
    );
    return samples
      .filter(({ steps }) => steps.length > 0)
      .map(({ contestant, steps, streams, launches }) => ({
        work: work.label,
        parameters: work.elements,
        tensors: work.parameters.length,
        ...contestant.subject,
        samples: steps,
        launches,
        streamSamples: streams,
        streamBytes: contestant.stream?.bytes ?? 0,
        checked: spec.check && isOwn(contestant),
      }));
  } catch (error) {
    // Whatever broke off because of the Ctrl-C; samples that were taken are no error.
    if (signal.aborted) return [];
    throw error;
  } finally {
    for (const contestant of contestants) contestant.dispose();
    for (const memory of gpus.values()) memory.dispose();
  }
}

const isOwn = (contestant: Contestant) => contestant instanceof OwnContestant || contestant instanceof GpuContestant;

/** Everyone who takes turns, made one after the other. */
async function* gather(task: Task, gpus: Map<string, GpuMemory>): AsyncGenerator<Contestant> {
  const { work, spec, absent, signal, tell, lastCache } = task;
  tell(0, "allocating");
  // Builds that take turns have memory of their own.
  const memory = new BenchMemory(spec.against ? { ...work, parameters: [] } : work, lastCache);
  await memory.reset(signal);
  for (const own of spec.own) {
    if (spec.against) {
      for (const build of [spec.against, thisBuild]) yield new BuildContestant(build, own, work, memory, signal);
      continue;
    }
    tell(0, `${spec.check ? "checking" : "building"} ${own.device}`);
    const place = memoryOn(own.device, memory, gpus);
    if (spec.check) await check(own, place, signal);
    yield place instanceof GpuMemory ? new GpuContestant(own, place) : new OwnContestant(own, place);
  }
  const onHost = spec.own.some(({ device }) => device.startsWith("cpu"));
  for (const name of spec.compare) {
    const { onGpus, open } = peers[name];
    for (const place of onGpus ? [...(onHost ? [memory] : []), ...gpus.values()] : [memory]) {
      const where = place instanceof GpuMemory ? `${name} on ${place.device}` : name;
      if (absent.has(where)) continue;
      tell(0, `starting ${where}`);
      try {
        yield await open({ work, memory: place, python: spec.python, set: spec.own[0]!.set, signal });
      } catch (error) {
        if (signal.aborted) throw error;
        absent.set(where, failureOf(error).message.split("\n")[0]!);
      }
    }
  }
}

/** A GPU's own memory, which all that compute there share. */
function memoryOn(device: string, host: BenchMemory, gpus: Map<string, GpuMemory>): BenchMemory | GpuMemory {
  if (device.startsWith("cpu")) return host;
  const memory = gpus.get(device) ?? new GpuMemory(device, host);
  gpus.set(device, memory);
  return memory;
}

async function check(
  { device, threads, set }: OwnSpec,
  memory: BenchMemory | GpuMemory,
  signal: AbortSignal,
): Promise<void> {
  const stream = memory instanceof GpuMemory ? memory.stream : undefined;
  const optimizer = new AdamW(set.options, { device, threads, stream }).build(memory.parameters);
  try {
    await verify(optimizer, set.options, memory, signal);
  } finally {
    optimizer.dispose();
  }
  await memory.reset(signal);
}
