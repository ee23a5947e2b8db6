/** A worker that steps over what it is given: its own optimizer, the main thread's memory. */

import { parentPort, workerData } from "node:worker_threads";
import { AdamW } from "../../lib/adamw.js";

const { value, gradient, steps, threads, device } = workerData as Record<"value" | "gradient", Float32Array> &
  Record<"steps" | "threads", number> & { device?: string };
const optimizer = new AdamW({ weightDecay: 0.1 }, { threads, device }).build([{ name: "a", value, gradient }]);
for (let i = 0; i < steps; i += 1) optimizer.step();
parentPort?.postMessage(optimizer.iterations);
