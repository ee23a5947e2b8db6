/**
 * The lines a contestant answers on its standard input and output, one at a time:
 *
 *     build WORK LENGTH...    ready NAME            (or: absent REASON)
 *     run THREADS STEPS       took NANOSECONDS
 *     sample ROW:INDEX...     sample VALUE...
 */

import { createInterface } from "node:readline";

/** A contestant's side in JavaScript. */
export interface Contender {
  /** Makes everything for this work; returns what it is, with its version. */
  build(work: string, lengths: readonly number[]): Promise<string> | string;
  /** Nanoseconds that `steps` steps took. */
  run(threads: number, steps: number): number;
  /** Parameter `row` at `index`. */
  sample(row: number, index: number): number;
}

/** Times a step that returns when it is done. */
export function time(step: () => void, steps: number): number {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < steps; i += 1) step();
  return Number(process.hrtime.bigint() - begin);
}

/** Answers until the input ends. */
export async function serve(contender: Contender): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(" ");
    if (command === "build") {
      const [work = "", ...lengths] = words;
      say(`ready ${await contender.build(work, lengths.map(Number))}`);
    } else if (command === "run") {
      say(`took ${contender.run(Number(words[0]), Number(words[1]))}`);
    } else if (command === "sample") {
      const values = words.map((place) => {
        const [row = 0, index = 0] = place.split(":").map(Number);
        return contender.sample(row, index);
      });
      say(`sample ${values.join(" ")}`);
    }
  }
}
