/** A new process that goes on with what another one saved: prints the fingerprint of each case on each device. */

import { join } from "node:path";
import { allDevices, cases, fingerprint, make, train } from "./cases.js";

const [folder = "", saved = "", end = ""] = process.argv.slice(2);
const results: Record<string, string> = {};
for (const [i, chosen] of cases.entries()) {
  for (const device of allDevices()) {
    const training = make(chosen, { device, threads: 2 });
    await training.optimizer.load(join(folder, `${i}.safetensors`));
    train(training, Number(saved), Number(end));
    results[`${chosen.name} on ${device}`] = fingerprint(training);
  }
}
console.log(JSON.stringify(results));
