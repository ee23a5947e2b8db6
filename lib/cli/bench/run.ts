/** Measures one piece of work after the other. */

import { AdamW } from "../../adamw.js";
import { CommandError, failureOf } from "../exit.js";
import { formatBytes } from "../format.js";
import type { OptionSet } from "../option-sets.js";
import type { Work } from "../work.js";
import { type Build, thisBuild } from "./build.js";
import { openBuild } from "./build-contestant.js";
import { type Contestant, OwnContestant, type OwnSpec } from "./contestant.js";
import { BenchMemory } from "./memory.js";
import { type PeerName, peers } from "./peers/peers.js";
import type { BenchDocument, BenchRow } from "./result.js";
import { type RoundOptions, takeRounds } from "./rounds.js";
import { verify } from "./verify.js";

export interface BenchSpec extends RoundOptions {
  readonly works: readonly Work[];
  readonly own: readonly OwnSpec[];
  readonly compare: readonly PeerName[];
  /** Another build, which then takes turns with this one. */
  readonly against: Build | undefined;
  /** Which Python has PyTorch. */
  readonly python: string;
  readonly check: boolean;
}

export interface BenchHooks {
  readonly stop: () => boolean;
  /** `done`: from 0 to 1. */
  readonly onProgress: (done: number, work: string, what: string) => void;
}

type Measured = Pick<BenchDocument, "rows" | "absent">;

/** Rows of all work that was begun; `stop` ends it after the sample at hand. */
export async function runBench(
  spec: BenchSpec,
  { stop, onProgress }: BenchHooks,
  freeMemory: number,
): Promise<Measured> {
  for (const work of spec.works) checkMemory(work, spec, freeMemory);
  const rows: BenchRow[] = [];
  const absent = new Map<string, string>();
  for (const [i, work] of spec.works.entries()) {
    if (stop()) break;
    const tell = (done: number, what: string) => onProgress((i + done) / spec.works.length, work.label, what);
    tell(0, "allocating");
    rows.push(...(await measureWork(work, spec, absent, stop, tell)));
  }
  return { rows, absent: Array.from(absent, ([name, reason]) => ({ name, reason })) };
}

async function measureWork(
  work: Work,
  spec: BenchSpec,
  absent: Map<string, string>,
  stop: () => boolean,
  tell: (done: number, what: string) => void,
): Promise<BenchRow[]> {
  // Builds that take turns have memory of their own.
  const memory = new BenchMemory(spec.against ? { ...work, parameters: [] } : work);
  const contestants: Contestant[] = [];
  try {
    for (const own of spec.against ? spec.own : []) {
      tell(0, "starting both builds");
      contestants.push(await openBuild(spec.against!, own, work), await openBuild(thisBuild, own, work));
    }
    for (const own of spec.against ? [] : spec.own) {
      tell(0, spec.check ? "checking against float64" : "building");
      if (spec.check) check(own, memory);
      contestants.push(new OwnContestant(own, memory));
    }
    for (const name of spec.compare) {
      if (absent.has(name)) continue;
      try {
        contestants.push(await peers[name]({ work, memory, python: spec.python, set: spec.own[0]!.set }));
      } catch (error) {
        absent.set(name, failureOf(error).message.split("\n")[0]!);
      }
    }
    const samples = await takeRounds(contestants, memory, spec, stop, ({ subject }, done) =>
      tell(done, `${subject.name} ${subject.device}`),
    );
    return samples
      .filter(({ steps }) => steps.length > 0)
      .map(({ contestant, steps, streams }) => ({
        work: work.label,
        parameters: work.elements,
        tensors: work.parameters.length,
        ...contestant.subject,
        samples: steps,
        streamSamples: streams,
        streamBytes: contestant.stream?.bytes ?? 0,
        checked: spec.check && contestant instanceof OwnContestant,
      }));
  } finally {
    for (const contestant of contestants) contestant.dispose();
  }
}

function check({ device, threads, set }: OwnSpec, memory: BenchMemory): void {
  const optimizer = new AdamW(set.options, { device, threads }).build(memory.parameters);
  try {
    verify(optimizer, set.options, memory);
  } finally {
    optimizer.dispose();
    memory.reset();
  }
}

/** Everything that takes turns is in memory at once. @throws CommandError */
function checkMemory(work: Work, { own, compare, against }: BenchSpec, free: number): void {
  const plan = (set: OptionSet) => AdamW.plan(set.options, work.parameters);
  const shared = plan(own[0]!.set);
  const states = own.reduce((sum, { set }) => sum + plan(set).state, 0);
  // A peer has values, gradients and moments of its own.
  const needed = against
    ? 2 * own.reduce((sum, { set }) => sum + plan(set).total, 0)
    : shared.values + shared.gradients + states + compare.length * 4 * shared.values;
  if (needed <= free) return;
  const share = Math.ceil(needed / free);
  throw new CommandError(
    "missing",
    `${work.label} needs ${formatBytes(needed)} for ${own.length + compare.length} contestants, and ${formatBytes(free)} are free; an ${share}th of it fits: ${work.label}@1/${share}`,
    { code: "OUT_OF_MEMORY" },
  );
}
