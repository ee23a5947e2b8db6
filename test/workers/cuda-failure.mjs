// One training on a GPU in which one call of the runtime fails (the emulator's CUEMU_FAIL says which): a child process
// of cuda-errors.test.ts. Prints what happened as JSON; the emulator's exit status says whether anything was leaked.
import { AdamW, openDevice, schedules } from "../../dist/index.js";

const lengths = [1000, 37, 1];
const fill = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(seed * 100 + i));
const options = {
  learningRate: new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 }),
  globalClipnorm: 1,
  useEma: true,
  nonFinite: "skip",
};

/** What the parameters are after each step, as the CPU has it. */
function history(steps) {
  const values = lengths.map(fill);
  const optimizer = new AdamW(options, { device: "cpu" });
  optimizer.build(values.map((value, i) => ({ name: `p${i}`, value })));
  const states = [values.map((value) => [...value]).join()];
  for (let step = 0; step < steps; step += 1) {
    optimizer.apply(lengths.map((length) => fill(length, 50 + step)));
    states.push(values.map((value) => [...value]).join());
  }
  return states;
}

const [mode = "steps"] = process.argv.slice(2);
const outcome = { phase: "open", code: undefined, message: undefined, state: undefined, later: undefined };
const owned = [];
const keep = (thing) => {
  owned.push(thing);
  return thing;
};

let values;
let optimizer;
try {
  const device = openDevice("cuda");
  outcome.phase = "allocate";
  const stream = keep(device.createStream());
  values = lengths.map((length, i) => keep(device.allocate("float32", length, { stream })).write(fill(length, i)));
  const gradients = lengths.map((length) => keep(device.allocate("float32", length, { stream })));
  outcome.phase = "build";
  optimizer = keep(new AdamW(options, { stream, offload: mode === "offload" ? "cpu" : null }));
  optimizer.build(values.map((value, i) => ({ name: `p${i}`, value, gradient: gradients[i] })));
  outcome.phase = "capture";
  const graph = mode === "graph" ? keep(stream.capture(() => optimizer.step())) : undefined;
  outcome.phase = "step";
  for (let step = 0; step < 4; step += 1) {
    gradients.forEach((gradient, i) => void gradient.write(fill(lengths[i], 50 + step)));
    if (graph) graph.launch();
    else if (mode === "async") await optimizer.stepAsync();
    else optimizer.step();
  }
  outcome.phase = "wait";
  optimizer.synchronize();
  outcome.phase = "done";
} catch (error) {
  outcome.code = error.code;
  outcome.message = error.message;
}

/** Of the parameters: after how many steps they are what they are; null: after none. */
try {
  const states = history(4);
  const at = values && states.indexOf(values.map((value) => [...value.read()]).join());
  outcome.state = at === undefined || at < 0 ? null : at;
} catch (error) {
  outcome.state = error.code;
}
if (outcome.phase === "step" || outcome.phase === "wait") {
  try {
    optimizer.step();
    outcome.later = "stepped";
  } catch (error) {
    outcome.later = error.code;
  }
}
for (const thing of owned.reverse()) {
  try {
    thing.dispose();
  } catch (error) {
    outcome.disposed = error.code;
  }
}
console.log(JSON.stringify(outcome));
