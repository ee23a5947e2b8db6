/** All runs of one command, their table and their picture. */

import { resolve } from "node:path";
import type { Run } from "../../lib/cli/train/run.js";
import { train } from "../../lib/cli/train/train.js";
import type { Options } from "./options.js";
import { writePicture } from "./picture.js";
import { agreement, comparison } from "./report.js";

export async function compare(options: Options): Promise<void> {
  const settings = `784-256-10 on ${options.train} digits, batches of ${options.batch}, ${options.backend} backend, seed ${options.seed}`;
  console.log(settings);

  const runs = await train(options, ["tfjs", "same", "adamw"]);
  const compared = runs as [Run, Run, Run];
  const [reference, same] = compared;
  console.log(`\n${comparison(compared)}\n\n${agreement(reference, same)}`);
  await writePicture(resolve(options.output), runs, settings);
  console.log(`Loss curves: ${options.output}`);
}
