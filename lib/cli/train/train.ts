/** Trains with each optimizer asked for. */

import { startBackend } from "./backends.js";
import { contenders, type OptimizerName } from "./contenders.js";
import { loadDigits } from "./digits.js";
import { openProgress } from "./progress.js";
import { countSteps, type Run, run } from "./run.js";
import type { TrainSettings } from "./settings.js";

/** Runs of what was begun; `stop` ends it after the step at hand. */
export async function train(
  settings: TrainSettings,
  wanted: readonly OptimizerName[],
  stop: () => boolean = () => false,
): Promise<Run[]> {
  await startBackend(settings.backend);
  const digits = await loadDigits(settings.train);
  const progress = openProgress();
  const runs: Run[] = [];
  for (const entry of contenders(settings, countSteps(digits.training, settings.batch))) {
    if (wanted.includes(entry.name) && !stop()) runs.push(await run(entry, digits, settings, progress, stop));
  }
  return runs;
}
