/** Runs the TypeScript module that `workerData.module` names: tsx does not reach into worker threads by itself. */

import { workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
await import(workerData.module);
