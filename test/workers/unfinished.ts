/** A worker that says so when an asynchronous step is on its way, which its end then meets. */

import { parentPort, workerData } from "node:worker_threads";
import { AdamW } from "../../lib/adamw.js";

const value = new Float32Array(4 << 20);
const { device } = workerData as { device?: string };
const optimizer = new AdamW({}, { device }).build([{ name: "a", value, gradient: value.slice() }]);
void optimizer.stepAsync();
parentPort?.postMessage("running");
