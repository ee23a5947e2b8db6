/** A process that steps and reports, or (argument "exit") ends while a step runs. */

import { AdamW } from "../../lib/adamw.js";

const value = new Float32Array(200_000);
const gradient = value.slice().fill(1);
const optimizer = new AdamW({ weightDecay: 0.1 }, { threads: 2 }).build([{ name: "a", value, gradient }]);
if (process.argv[2] === "exit") {
  void optimizer.stepAsync();
  setImmediate(() => process.exit(3));
} else {
  optimizer.step();
  optimizer.step();
  process.send?.({ iterations: optimizer.iterations, first: value[0] }, () => process.disconnect());
}
