/**
 * A process that takes steps with one build of the library: forked by build-contestant.ts, told what to do by messages.
 *
 * It imports nothing that loads this build's library. A process with two of them compiles JavaScript at other times
 * than one with one, and a build would lose to its own copy by 3 µs a step.
 */

import { pathToFileURL } from "node:url";
import type { AdamW } from "../../adamw.js";
import type { openDevice } from "../../open-device.js";
import type { ParameterInit } from "../../parameters.js";
import type { ShapedParameter } from "../models.js";
import { BenchMemory } from "./memory.js";
import { timed } from "./timed.js";

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
let library: { AdamW: typeof AdamW; openDevice?: typeof openDevice };
let optimizer: AdamW | undefined;
let memory: BenchMemory | undefined;

async function build(order: BuildOrder): Promise<string> {
  const { parameters, config, device, threads } = order;
  if (device.startsWith("cpu")) await rehearse(order);
  memory = new BenchMemory({ parameters });
  await memory.reset();
  optimizer = library.AdamW.fromConfig(config, { device, threads }).build(placed(memory, device));
  return optimizer.device;
}

/** Node's compiler has seen enough after 10 000 to 20 000 steps; before, one takes up to 20 times as long. */
const rehearsals = 30_000;
const mostSeconds = 0.5;

/** Takes steps that are as short as can be, so that none of those that are measured is the compiler's. */
async function rehearse({ parameters, config, device, threads }: BuildOrder): Promise<void> {
  // The same names and ranks: groups must match something.
  const small = new BenchMemory({
    parameters: parameters.map(({ name, shape }) => ({ name, shape: shape.map(() => 1) })),
  });
  await small.reset();
  const understudy = library.AdamW.fromConfig(config, { device, threads }).build(small.parameters);
  let seconds = 0;
  for (let steps = 0; steps < rehearsals && seconds < mostSeconds; steps += 100) {
    small.restoreGradients();
    seconds += take(understudy, 100);
  }
  understudy.dispose();
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

function take(one: AdamW, steps: number): number {
  return timed(() => {
    for (let i = 0; i < steps; i += 1) one.step();
    one.synchronize();
  });
}

async function answer(order: { build: BuildOrder } | { run: number }): Promise<unknown> {
  if ("build" in order) return build(order.build);
  if (!optimizer) throw new Error("There is nothing to run yet");
  return take(optimizer, order.run);
}

async function load(): Promise<string> {
  library = await import(pathToFileURL(index).href);
  return "ready";
}

function tell(result: Promise<unknown>): void {
  void result.then(
    (value) => process.send?.({ answer: value } satisfies Reply),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.message : String(error) } satisfies Reply),
  );
}

process.on("message", (order: { build: BuildOrder } | { run: number }) => tell(answer(order)));
tell(load());
