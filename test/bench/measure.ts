/** One case: every contestant proves its result, then they take turns. */

import { setTimeout as pause } from "node:timers/promises";
import { orders, randomWords } from "../../lib/cli/random.js";
import { median } from "../../lib/cli/statistics.js";
import type { Case } from "./cases.js";
import { Contestant, type commands } from "./contestants.js";
import { expectedValues, samplePlaces, tolerance, verifiedSteps } from "./oracle.js";

/** Nanoseconds per step, round by round, at the best number of threads. */
export interface Result {
  readonly contestant: string;
  readonly title: string;
  readonly threads: number;
  readonly rounds: readonly number[];
}

export interface Outcome {
  readonly results: ReadonlyMap<string, Result>;
  /** Contestants that did not run, with their reasons. */
  readonly absent: ReadonlyMap<string, string>;
}

/** A turn lasts about this long, or one step. */
const turnNanoseconds = 60e6;
/** Idle threads of the contestant before have stopped spinning by then. */
const pauseMilliseconds = 15;

export async function measure(
  subject: Case,
  rounds: number,
  how: ReturnType<typeof commands>,
  wanted: (contestant: string) => boolean,
): Promise<Outcome> {
  const absent = new Map<string, string>();
  const ready: { contestant: Contestant; title: string }[] = [];
  for (const name of subject.contestants.filter(wanted)) {
    const contestant = new Contestant(name, how);
    try {
      const title = await contestant.build(subject);
      await verify(contestant, subject);
      ready.push({ contestant, title });
    } catch (error) {
      absent.set(name, error instanceof Error ? error.message : String(error));
      contestant.end();
    }
  }
  const turns = ready.flatMap(({ contestant }) =>
    contestant.row.threads.map((threads) => ({ contestant, threads, steps: 1, rounds: [] as number[] })),
  );
  try {
    for (const turn of turns) turn.steps = await stepsOfTurn(turn.contestant, turn.threads);
    const sequences = orders(turns, randomWords(Math.random() * 2 ** 32));
    for (let round = 0; round < rounds; round += 1) {
      // Another order in every round, so that nobody always runs after the same neighbour.
      for (const turn of sequences.next().value) {
        await pause(pauseMilliseconds);
        // Not timed: others have used the caches, the page tables and the threads since.
        await turn.contestant.run(turn.threads, 1);
        turn.rounds.push(await turn.contestant.run(turn.threads, turn.steps));
      }
    }
  } finally {
    for (const { contestant } of ready) contestant.end();
  }
  const results = ready.map(({ contestant, title }): [string, Result] => {
    const own = turns.filter((turn) => turn.contestant === contestant);
    const best = own.reduce((a, b) => (median(b.rounds) < median(a.rounds) ? b : a));
    return [contestant.name, { contestant: contestant.name, title, threads: best.threads, rounds: best.rounds }];
  });
  return { results: new Map(results), absent };
}

/** Runs get longer until one lasts about as long as a turn: short ones are slow, before compilers are done. */
async function stepsOfTurn(contestant: Contestant, threads: number): Promise<number> {
  await contestant.run(threads, 1); // pays for the first touch
  let steps = 1;
  let once = await contestant.run(threads, steps);
  while (once * steps < turnNanoseconds / 2) {
    steps = Math.min(Math.ceil(turnNanoseconds / once), steps * 16);
    once = await contestant.run(threads, steps);
  }
  return Math.max(1, Math.round(turnNanoseconds / once));
}

/** Throws when the first steps are not those of the oracle. */
async function verify(contestant: Contestant, subject: Case): Promise<void> {
  if (!contestant.row.verified) return;
  const places = samplePlaces(subject);
  await contestant.run(contestant.row.threads[0] ?? 1, verifiedSteps);
  const found = await contestant.sample(places);
  const expected = expectedValues(subject, contestant.row, places);
  found.forEach((value, i) => {
    const error = Math.abs(value - (expected[i] ?? Number.NaN));
    if (error <= tolerance) return;
    const { row = 0, index = 0 } = places[i] ?? {};
    throw new Error(`wrong result: tensor ${row}[${index}] is ${value}, not ${expected[i]}`);
  });
}
