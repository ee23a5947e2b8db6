import { expect } from "chai";
import type { AdamW } from "../lib/adamw.js";
import { pair, snapshot } from "./optimizers.js";
import { rejectsLater, rejectsWith } from "./rejects.js";

describe("gradients that the addon refuses half-way", () => {
  /** Says that it has as many bytes as it should have, but the addon asks the array itself. */
  const lying = () => Object.defineProperty(new Float32Array(1), "byteLength", { value: 8 });
  const [first, other] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(-4, 3, -2, 1)];
  const steps = {
    apply: (optimizer: AdamW, gradients: Float32Array[]) => optimizer.apply(gradients),
    applyAsync: (optimizer: AdamW, gradients: Float32Array[]) => optimizer.applyAsync(gradients),
  };

  for (const [name, step] of Object.entries(steps)) {
    it(`are refused each time they come, and no other step works with them: ${name}()`, async () => {
      for (const next of ["bound", "passed"] as const) {
        const [built, expected] = [pair(), pair()];
        const refused = [first, lying()];
        for (let call = 0; call < 3; call += 1) {
          await rejectsLater("LENGTH_MISMATCH", (async () => step(built.optimizer, refused))());
        }
        expect(snapshot(built)).to.deep.equal(snapshot(expected));
        for (const { optimizer, biasGradient, gradients } of [built, expected]) {
          if (next === "bound") optimizer.step();
          // Of these the addon has the second already, if it has kept what it had.
          else await step(optimizer, [other, biasGradient]);
          await step(optimizer, [...gradients]);
        }
        expect(snapshot(built)).to.deep.equal(snapshot(expected));
      }
    });
  }

  it("are kept until the next step that works, as are those before", async () => {
    const { optimizer } = pair();
    const make = () => new Float32Array(4);
    const refs: WeakRef<Float32Array>[] = [];
    const keep = (array: Float32Array) => {
      refs.push(new WeakRef(array));
      return array;
    };
    const alive = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      global.gc!();
      return refs.map((ref) => ref.deref() !== undefined);
    };
    (() => optimizer.apply([keep(make()), new Float32Array(2)]))();
    for (let call = 0; call < 2; call += 1) {
      rejectsWith("LENGTH_MISMATCH", () => optimizer.apply([keep(make()), lying()]));
    }
    expect(await alive()).to.deep.equal([true, true, true]);
    optimizer.step();
    expect(await alive()).to.deep.equal([false, false, false]);
  });
});
