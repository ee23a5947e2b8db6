/** Takes turns: every contestant a sample per round, so that whatever else the machine does falls on all of them. */

import { setImmediate } from "node:timers/promises";
import { orders, randomWords } from "../random.js";
import type { Contestant } from "./contestant.js";

export interface RoundOptions {
  /** Samples that are thrown away first, after every start. */
  readonly warmup: number;
  /** Samples of each contestant, at least. */
  readonly repetitions: number;
  /** Seconds that each contestant is measured for, at least. */
  readonly minTime: number;
  /** How often contestants with processes of their own are started anew. */
  readonly launches: number;
  /** Whether the caches are emptied before each sample, which then is one step. */
  readonly flushCache: boolean;
}

/** Seconds per step, sample by sample; the streaming passes stand beside the steps they alternated with. */
export interface Samples {
  readonly contestant: Contestant;
  readonly steps: number[];
  readonly streams: number[];
  /** How many of the samples each start gave; empty where nothing was started anew. */
  readonly launches: number[];
}

/** A sample lasts about this long, or one step: long against the clock's and the scheduler's grain. */
const sampleSeconds = 0.01;
/** Clocks may say 0 for less. */
const shortest = 1e-7;
/** What takes so long is not run once more only to know better. */
const longest = 1;
/** Of one start: its median is one value of those that are compared. */
export const fewestRounds = 5;

interface Turn extends Samples {
  /** Steps, and streaming passes, of one sample. */
  count: number;
  passes: number;
  /** Seconds that its samples took. */
  spent: number;
}

type Orders = ReturnType<typeof orders<Turn>>;

/**
 * Measures until every contestant has what the options ask for, or `signal` ends it: then what was measured so far is
 * returned. `onSample` hears which part of the work is done, from 0 to 1.
 *
 * Contestants with processes of their own are started anew several times, since where the system puts a process' memory
 * decides a few percent, as long as it runs: samples of one start alone say nothing of another.
 *
 * @throws AbortError before the first sample
 */
export async function takeRounds(
  contestants: readonly Contestant[],
  options: RoundOptions,
  signal: AbortSignal,
  onSample: (contestant: Contestant, done: number) => void,
): Promise<Samples[]> {
  const turns = contestants.map(
    (contestant): Turn => ({ contestant, steps: [], streams: [], launches: [], count: 0, passes: 0, spent: 0 }),
  );
  // Where the first has an advantage, as the first to be started may, everyone has it equally often.
  const [starts, sequences] = [0, 1].map(() => orders(turns, randomWords(Math.random() * 2 ** 32))) as [Orders, Orders];
  const isRenewed = contestants.some(({ renew }) => renew !== undefined);
  const launches = isRenewed ? options.launches : 1;
  const rounds = isRenewed ? Math.max(fewestRounds, options.repetitions / launches) : options.repetitions;
  for (let launch = 1; launch <= launches; launch += 1) {
    const before = turns[0]?.steps.length ?? 0;
    try {
      // All first: one that ended just before it is started would get the very memory back that it had.
      for (const { contestant } of turns) await contestant.retire?.();
      for (const { contestant } of starts.next().value) await contestant.renew?.();
      if (launch === 1) for (const turn of turns) await calibrate(turn, options, signal);
      const part = () => {
        const parts = turns.map(({ steps, spent }) =>
          Math.min(
            (steps.length - before) / rounds,
            options.minTime === 0 ? 1 : (spent * launches) / (options.minTime * launch),
          ),
        );
        return Math.min(1, ...parts);
      };
      for (let round = -options.warmup; round < 0 || part() < 1; round += 1) {
        // Another order in every round, so that nobody always runs after the same neighbour.
        for (const turn of sequences.next().value) {
          const sample = await takeSample(turn, options);
          if (round >= 0) keep(turn, sample);
          onSample(turn.contestant, (launch - 1 + part()) / launches);
          // What is timed may block: here a Ctrl-C is heard and the progress is drawn.
          await setImmediate(undefined, { signal });
        }
      }
    } catch (error) {
      // Whatever was under way when Ctrl-C was pressed; what is finished is told.
      if (!signal.aborted || turns.every(({ steps }) => steps.length === 0)) throw error;
    }
    for (const turn of turns) {
      const earlier = turn.launches.reduce((a, b) => a + b, 0);
      if (isRenewed) turn.launches.push(turn.steps.length - earlier);
    }
    if (signal.aborted) break;
  }
  return turns;
}

function keep(turn: Turn, { step, stream }: { step: number; stream: number | undefined }): void {
  turn.steps.push(step);
  turn.spent += step * turn.count;
  if (stream !== undefined) turn.streams.push(stream);
}

async function calibrate(turn: Turn, options: RoundOptions, signal: AbortSignal): Promise<void> {
  const { window, stream } = turn.contestant;
  turn.count = window * (await countFor((count) => turn.contestant.run(window * count), options, signal));
  if (stream) turn.passes = await countFor((count) => stream.run(count), options, signal);
}

/**
 * How many fit into a sample. The first run pays for compilation and for touching memory; a single one pays for a start
 * that several share.
 */
async function countFor(
  run: (count: number) => Promise<number> | number,
  { flushCache }: RoundOptions,
  signal: AbortSignal,
): Promise<number> {
  const first = await run(1);
  await setImmediate(undefined, { signal });
  if (flushCache || first > longest) return 1;
  let count = 1;
  for (let i = 0; i < 2; i += 1) {
    const each = (await run(count)) / count;
    await setImmediate(undefined, { signal });
    count = Math.max(1, Math.round(sampleSeconds / Math.max(each, shortest)));
  }
  return count;
}

async function takeSample({ contestant, count, passes }: Turn, { flushCache }: RoundOptions) {
  const { memory } = contestant;
  memory.restoreGradients();
  if (flushCache) memory.flushCaches();
  const step = (await contestant.run(count)) / count;
  if (flushCache) memory.flushCaches();
  return { step, stream: contestant.stream && contestant.stream.run(passes) / passes };
}
