/** A worker that says so when an asynchronous step is on its way, which its end then meets. */

import { parentPort } from "node:worker_threads";
import { AdamW } from "../../lib/adamw.js";

const value = new Float32Array(4 << 20);
const optimizer = new AdamW().build([{ name: "a", value, gradient: value.slice() }]);
void optimizer.stepAsync();
parentPort?.postMessage("running");
