/** All runs of one command, their table and their picture. */

import { resolve } from "node:path";
import { startBackend } from "./backends.js";
import { contenders } from "./contenders.js";
import { loadDigits } from "./digits.js";
import type { Options } from "./options.js";
import { writePicture } from "./picture.js";
import { openProgress } from "./progress.js";
import { agreement, comparison } from "./report.js";
import { countSteps, type Run, run } from "./run.js";

export async function compare(options: Options): Promise<void> {
  await startBackend(options.backend);
  const digits = await loadDigits(options.train);
  const { count } = digits.training;
  const settings = `784-256-10 on ${count} digits, batches of ${options.batch}, ${options.backend} backend, seed ${options.seed}`;
  console.log(settings);

  const progress = openProgress();
  const runs: Run[] = [];
  for (const entry of contenders(options, countSteps(digits.training, options.batch))) {
    runs.push(await run(entry, digits, options, progress));
  }
  const compared = runs as [Run, Run, Run];
  const [reference, same] = compared;
  console.log(`\n${comparison(compared)}\n\n${agreement(reference, same)}`);
  await writePicture(resolve(options.output), runs, settings);
  console.log(`Loss curves: ${options.output}`);
}
