// A training on a GPU over arrays of the host in which one call of the runtime fails (the emulator's CUEMU_FAIL says
// which): a child process of cuda-errors.test.ts. A call that fails is repeated. In the end everything must be as on
// the CPU, or the optimizer refuses to go on, and then goes on as the CPU does from a checkpoint. Prints which.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdamW } from "../../dist/index.js";

const lengths = [1000, 37];
const fill = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(seed * 100 + i));
const options = { clipvalue: 0.1, useEma: true, emaMomentum: 0.5, zeroGradients: true };

function make(device) {
  const values = lengths.map(fill);
  const gradients = lengths.map((length) => new Float32Array(length));
  const optimizer = new AdamW(options, { device });
  optimizer.build(values.map((value, i) => ({ name: `p${i}`, value, gradient: gradients[i] })));
  return { optimizer, values, gradients };
}

/** The training, call by call. */
function calls(training) {
  const { optimizer, gradients } = training;
  const step = (seed, gradientScale) => [
    () => void gradients.forEach((gradient, i) => void gradient.set(fill(lengths[i], seed))),
    () => optimizer.step({ gradientScale }),
    () => optimizer.synchronize(),
  ];
  const rebind = () => {
    const values = training.values.map((value) => value.slice());
    optimizer.rebind(values.map((value, i) => ({ name: `p${i}`, value })));
    training.values = values;
  };
  return [
    ...step(1, 1),
    ...step(2, 0.01),
    () => {
      optimizer.learningRate = 0.01;
    },
    ...step(3, 0.01),
    () => optimizer.swapEma(),
    () => optimizer.restoreEma(),
    rebind,
    ...step(4, 1),
    () => optimizer.finalizeVariableValues(),
    ...step(5, 1),
  ];
}

const contents = ({ optimizer, values, gradients }) =>
  JSON.stringify(
    [...values, ...gradients, ...optimizer.variables.map(({ value }) => value)].map((array) => [...array]),
  );

const folder = mkdtempSync(join(tmpdir(), "fused-adamw-retry-"));
const path = join(folder, "state");
const outcome = { end: "equal", failed: 0, message: "" };
let training;
try {
  const expected = make("cpu");
  for (const call of calls(expected)) call();
  await expected.optimizer.save(path, { parameters: true });
  try {
    training = make("cuda");
  } catch (error) {
    outcome.message = error.message;
    outcome.end = error.code === "CUDA" || error.code === "OUT_OF_MEMORY" ? "not built" : "untyped";
  }
  for (const call of training ? calls(training) : []) {
    for (let tries = 0; outcome.end === "equal"; tries += 1) {
      try {
        call();
        break;
      } catch (error) {
        outcome.failed += 1;
        outcome.message = error.message;
        // Averages that were restored in part are no averages any more; the next step says that a checkpoint is needed.
        if (tries > 0 && error.message.startsWith("restoreEma()")) break;
        if (error.code !== "CUDA") outcome.end = "untyped";
        else if (error.message.includes("half-way")) outcome.end = "refused";
        else if (tries > 0) outcome.end = "stuck";
      }
    }
  }
  if (outcome.end === "refused") {
    await training.optimizer.load(path);
    // A new count mends nothing, a checkpoint does.
    for (const { optimizer, gradients } of [expected, training]) {
      gradients.forEach((gradient, i) => void gradient.set(fill(lengths[i], 6)));
      optimizer.step();
      optimizer.synchronize();
    }
    if (contents(training) !== contents(expected)) outcome.end = "other after a load";
  } else if (outcome.end === "equal") {
    let actual;
    try {
      actual = contents(training);
    } catch {
      outcome.failed += 1;
      actual = contents(training);
    }
    if (actual !== contents(expected)) outcome.end = "other";
  }
} catch (error) {
  outcome.end = `${error}`;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
training?.optimizer.dispose();
console.log(JSON.stringify(outcome));
