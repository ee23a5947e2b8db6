/** What the accuracies of runs are of, for people; apart from the runs, which load TensorFlow.js. */

import { significant } from "../format.js";
import type { Run } from "./run.js";

export function describeAccuracies(runs: readonly Run[]): string {
  const averages = runs.flatMap(({ label, emaMomentum }) =>
    emaMomentum === null
      ? []
      : [`; of "${label}" with the moving average of the weights (momentum ${significant(emaMomentum)})`],
  );
  return `accuracy on digits that no step has seen${averages.join("")}`;
}
