/** Contestants "ours" (gradients bound at build) and "ours-apply" (gradients passed to every step). */

import type { AdamW as Optimizer } from "../../lib/index.js";
import { hyper, type WorkName } from "./cases.js";
import { makeTensors } from "./inputs.js";
import { serve, time } from "./protocol.js";

// What people install: tsx would put a call around every function made at run time, to set its name, 1.1 µs of a step.
const built = new URL("../../dist/index.js", import.meta.url);
const { AdamW }: typeof import("../../lib/index.js") = await import(built.href);

const [mode] = process.argv.slice(2);
const { lossScale, globalClipnorm, emaMomentum, ...plain } = hyper;
const options = {
  step: plain,
  pipeline: { ...plain, lossScaleFactor: lossScale, globalClipnorm, useEma: true, emaMomentum, zeroGradients: true },
};

let work: WorkName = "step";
let tensors: ReturnType<typeof makeTensors> = [];
/** One optimizer for each number of threads, all over the same parameters. */
const optimizers = new Map<number, Optimizer>();

function optimizer(threads: number): Optimizer {
  const known = optimizers.get(threads);
  if (known) return known;
  const made = new AdamW({ ...options[work] }, { threads });
  made.build(tensors.map((tensor, row) => ({ name: `tensor${row}`, ...tensor })));
  optimizers.set(threads, made);
  return made;
}

await serve({
  build(wanted, lengths) {
    work = wanted as WorkName;
    tensors = makeTensors(lengths);
    const given = mode === "apply" ? ", gradients passed" : "";
    return `fused-adamw ${optimizer(1).device}${given}`;
  },
  run(threads, steps) {
    const target = optimizer(threads);
    if (mode !== "apply") return time(() => target.step(), steps);
    // Other arrays in every step, as frameworks give them: the addon must take each one in.
    let now: Float32Array[] = tensors.map(({ gradient }) => gradient);
    let next: Float32Array[] = now.map((gradient) => gradient.slice());
    return time(() => {
      target.apply(now);
      [now, next] = [next, now];
    }, steps);
  },
  sample: (row, index) => tensors[row]?.value[index] ?? Number.NaN,
});
