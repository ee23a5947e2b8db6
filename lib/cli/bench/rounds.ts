/** Takes turns: every contestant a sample per round, so that whatever else the machine does falls on all of them. */

import { setImmediate } from "node:timers/promises";
import type { Contestant } from "./contestant.js";

export interface RoundOptions {
  /** Samples that are thrown away first. */
  readonly warmup: number;
  /** Samples of each contestant, at least. */
  readonly repetitions: number;
  /** Seconds that each contestant is measured for, at least. */
  readonly minTime: number;
  /** Whether the caches are emptied before each sample, which then is one step. */
  readonly flushCache: boolean;
}

/** Seconds per step, sample by sample; the streaming passes stand beside the steps they alternated with. */
export interface Samples {
  readonly contestant: Contestant;
  readonly steps: number[];
  readonly streams: number[];
}

/** A sample lasts about this long, or one step: long against the clock's and the scheduler's grain. */
const sampleSeconds = 0.01;
/** Clocks may say 0 for less. */
const shortest = 1e-7;
/** What takes so long is not run once more only to know better. */
const longest = 1;

interface Turn extends Samples {
  /** Steps, and streaming passes, of one sample. */
  readonly count: number;
  readonly passes: number;
  /** Seconds that its samples took. */
  spent: number;
}

/**
 * Measures until every contestant has what the options ask for, or `stop` says to; `onSample` hears which part of the
 * work is done, from 0 to 1.
 */
export async function takeRounds(
  contestants: readonly Contestant[],
  options: RoundOptions,
  stop: () => boolean,
  onSample: (contestant: Contestant, done: number) => void,
): Promise<Samples[]> {
  const turns: Turn[] = [];
  for (const contestant of contestants) turns.push(await calibrate(contestant, options));
  const done = () => {
    const parts = turns.map(({ steps, spent }) =>
      Math.min(steps.length / options.repetitions, options.minTime === 0 ? 1 : spent / options.minTime),
    );
    return Math.min(1, ...parts);
  };
  for (let round = -options.warmup; !stop() && (round < 0 || done() < 1); round += 1) {
    // Another begins in every round, so that nobody always runs after the same neighbour.
    for (let i = 0; i < turns.length && !stop(); i += 1) {
      const turn = turns[(i + Math.max(round, 0)) % turns.length]!;
      const sample = await takeSample(turn, options);
      if (round >= 0) {
        turn.steps.push(sample.step);
        turn.spent += sample.step * turn.count;
        if (sample.stream !== undefined) turn.streams.push(sample.stream);
      }
      onSample(turn.contestant, Math.max(0, done()));
      // What is timed may block: here a Ctrl-C is heard and the progress is drawn.
      await setImmediate();
    }
  }
  return turns;
}

async function calibrate(contestant: Contestant, options: RoundOptions): Promise<Turn> {
  const { window, stream } = contestant;
  const windows = await countFor((count) => contestant.run(window * count), options);
  const passes = stream ? await countFor((count) => stream.run(count), options) : 0;
  return { contestant, steps: [], streams: [], count: window * windows, passes, spent: 0 };
}

/**
 * How many fit into a sample. The first run pays for compilation and for touching memory; a single one pays for a start
 * that several share.
 */
async function countFor(run: (count: number) => Promise<number> | number, { flushCache }: RoundOptions) {
  const first = await run(1);
  if (flushCache || first > longest) return 1;
  let count = 1;
  for (let i = 0; i < 2; i += 1) {
    const each = (await run(count)) / count;
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
