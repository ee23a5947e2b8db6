/** Takes turns: every contestant a sample per round, so that whatever else the machine does falls on all of them. */

import { setImmediate } from "node:timers/promises";
import type { Contestant } from "./contestant.js";
import type { BenchMemory } from "./memory.js";

export interface RoundOptions {
  /** Samples that are thrown away first. */
  readonly warmup: number;
  /** Samples of each contestant, at least. */
  readonly repetitions: number;
  /** Seconds that each contestant is measured for, at least. */
  readonly minTime: number;
  /** Called before each sample, outside of what is timed; then a sample is one step. */
  readonly flushCache: (() => void) | undefined;
}

/** Seconds per step, sample by sample; the streaming passes stand beside the steps they alternated with. */
export interface Samples {
  readonly contestant: Contestant;
  readonly steps: number[];
  readonly streams: number[];
}

/** A sample lasts about this long, or one step: long against the clock's and the scheduler's grain. */
const sampleSeconds = 0.01;

interface Turn extends Samples {
  /** Steps, and streaming passes, of one sample. */
  readonly count: number;
  readonly passes: number;
}

/**
 * Measures until every contestant has what the options ask for, or `stop` says to; `onSample` hears which part of the
 * work is done, from 0 to 1.
 */
export async function takeRounds(
  contestants: readonly Contestant[],
  memory: BenchMemory,
  options: RoundOptions,
  stop: () => boolean,
  onSample: (contestant: Contestant, done: number) => void,
): Promise<Samples[]> {
  const turns: Turn[] = [];
  for (const contestant of contestants) turns.push(await calibrate(contestant, options));
  const spent = () => turns.map(({ steps, count }) => steps.reduce((sum, step) => sum + step * count, 0));
  const done = () => {
    const parts = spent().map((seconds, i) =>
      Math.min(turns[i]!.steps.length / options.repetitions, options.minTime === 0 ? 1 : seconds / options.minTime),
    );
    return Math.min(1, ...parts);
  };
  for (let round = -options.warmup; !stop() && (round < 0 || done() < 1); round += 1) {
    // Another begins in every round, so that nobody always runs after the same neighbour.
    for (let i = 0; i < turns.length && !stop(); i += 1) {
      const turn = turns[(i + Math.max(round, 0)) % turns.length]!;
      const sample = await takeSample(turn, memory, options);
      if (round >= 0) {
        turn.steps.push(sample.step);
        if (sample.stream !== undefined) turn.streams.push(sample.stream);
      }
      onSample(turn.contestant, Math.max(0, done()));
      // What is timed may block: here a Ctrl-C is heard and the progress is drawn.
      await setImmediate();
    }
  }
  return turns;
}

/** The second run decides: the first pays for compilation and for touching memory. */
async function calibrate(contestant: Contestant, { flushCache }: RoundOptions): Promise<Turn> {
  const { window, stream } = contestant;
  const countFor = (seconds: number) => (flushCache ? 1 : Math.max(1, Math.round(sampleSeconds / seconds)));
  const first = await contestant.run(window);
  const perWindow = first > 1 ? first : await contestant.run(window);
  stream?.run(1);
  return {
    contestant,
    steps: [],
    streams: [],
    count: window * countFor(perWindow),
    passes: stream ? countFor(stream.run(1)) : 0,
  };
}

async function takeSample({ contestant, count, passes }: Turn, memory: BenchMemory, { flushCache }: RoundOptions) {
  memory.restoreGradients();
  flushCache?.();
  const step = (await contestant.run(count)) / count;
  flushCache?.();
  return { step, stream: contestant.stream && contestant.stream.run(passes) / passes };
}

/** Writes and reads twice the largest cache, so that nothing of a step is left in it. */
export function cacheFlusher(lastCache: number): () => void {
  const junk = new Float64Array(Math.ceil((2 * lastCache) / Float64Array.BYTES_PER_ELEMENT));
  return () => {
    for (let i = 0; i < junk.length; i += 8) junk[i] = junk[i]! + 1;
  };
}
