// A rebind on a GPU in which one call of the runtime fails (the emulator's CUEMU_FAIL says which): a child process of
// cuda-errors.test.ts. The next step must work on the memory of before: no call failed after something had been copied.
// Prints where the call failed, and what that step did.
import { AdamW, openDevice } from "../../dist/index.js";

const outcome = { phase: "build", code: undefined, changed: undefined };
try {
  const device = openDevice("cuda");
  const [first, second] = [device.createStream(), device.createStream()];
  const place = (stream, number) => device.allocate("float32", 4, { stream }).fill(number);
  const before = { value: place(undefined, 1), gradient: place(undefined, 1) };
  const after = { value: place(first, 2), gradient: place(second, 0) };
  const optimizer = new AdamW({ weightDecay: 0 }).build([{ name: "w", ...before }]);
  outcome.phase = "rebind";
  try {
    optimizer.rebind([{ name: "w", ...after }]);
    outcome.phase = "done";
  } catch (error) {
    outcome.code = error.code;
    optimizer.step();
    const [old, other] = [before, after].map(({ value }) => value.read()[0]);
    outcome.changed = { old: old !== 1, other: other !== 2 };
  }
} catch (error) {
  outcome.code = error.code;
}
console.log(JSON.stringify(outcome));
