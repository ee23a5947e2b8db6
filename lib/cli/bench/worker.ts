/** A process that takes steps with one build of the library: forked by build-contestant.ts, told what to do by messages. */

import { pathToFileURL } from "node:url";
import type { AdamW } from "../../adamw.js";
import type { openDevice } from "../../open-device.js";
import type { ParameterInit } from "../../parameters.js";
import type { ShapedParameter } from "../models.js";
import { product } from "../work.js";
import { timed } from "./contestant.js";
import { BenchMemory } from "./memory.js";

export interface BuildOrder {
  readonly parameters: readonly ShapedParameter[];
  /** As getConfig() writes it: what every build reads. */
  readonly config: Record<string, unknown>;
  readonly device: string;
  readonly threads: number;
}

/** What comes back: an answer, or the message of what went wrong. */
export type Reply = { readonly answer: unknown } | { readonly error: string };

// Ctrl-C is for the program that asks: it ends this by closing the channel.
process.on("SIGINT", () => {});
const [index = ""] = process.argv.slice(2);
// Only what every build exports is used.
const library = (await import(pathToFileURL(index).href)) as { AdamW: typeof AdamW; openDevice?: typeof openDevice };
let optimizer: AdamW | undefined;

function build({ parameters, config, device, threads }: BuildOrder): string {
  const elements = parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  const memory = new BenchMemory({ label: "", parameters, elements });
  optimizer = library.AdamW.fromConfig(config, { device, threads }).build(placed(memory, device));
  return optimizer.device;
}

/** In the memory of a GPU that steps on it: else every step would copy. */
function placed({ parameters }: BenchMemory, device: string): readonly ParameterInit[] {
  if (device.startsWith("cpu") || !library.openDevice) return parameters;
  const gpu = library.openDevice(device);
  const move = (values: Float32Array) => gpu.allocate("float32", values.length).write(values);
  return parameters.map((parameter) => ({
    ...parameter,
    value: move(parameter.value),
    gradient: move(parameter.gradient),
  }));
}

function run(steps: number): number {
  return timed(() => {
    for (let i = 0; i < steps; i += 1) optimizer?.step();
    optimizer?.synchronize();
  });
}

process.on("message", (order: { build: BuildOrder } | { run: number }) => {
  let reply: Reply;
  try {
    reply = { answer: "build" in order ? build(order.build) : run(order.run) };
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(reply);
});
process.send?.({ answer: "ready" } satisfies Reply);
