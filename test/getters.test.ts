import { expect } from "chai";
import { pair, snapshot } from "./optimizers.js";
import { rejectsLater, rejectsWith } from "./rejects.js";
import { temporaryFolder } from "./temporary.js";

type Built = ReturnType<typeof pair>;

/** The bound gradients as a list whose last entry, and as an object whose every entry, runs code when it is read. */
function acting({ gradients }: Built, act: () => void) {
  const [kernel, bias] = gradients;
  const get = () => {
    act();
    return bias;
  };
  const list = Object.defineProperty([kernel, bias], 1, { get });
  const record = Object.defineProperty({ "dense/kernel": kernel }, "dense/bias", { get, enumerable: true });
  return [list, record as Record<string, Float32Array>];
}

describe("Getters of what is passed", () => {
  const file = temporaryFolder();

  it("that take the memory of a gradient away are found out before anything changes", async () => {
    for (const which of [0, 1]) {
      for (const before of [true, false]) {
        const built = pair();
        const { optimizer, gradients } = built;
        // The addon has these already, and would be asked for nothing new.
        if (before) optimizer.apply([...gradients]);
        const expected = snapshot(built);
        const passed = acting(built, () => structuredClone(gradients[0].buffer, { transfer: [gradients[0].buffer] }));
        rejectsWith("DETACHED", () => optimizer.apply(passed[which]!), "dense/kernel");
        await rejectsLater("DETACHED", optimizer.applyAsync(passed[which]!), "dense/kernel");
        expect(snapshot(built)).to.deep.equal(expected);
      }
    }
  });

  it("that start something keep the step from running beside it", async () => {
    const uses: [what: string, act: (built: Built) => unknown, ...parts: string[]][] = [
      ["an asynchronous step", ({ optimizer }) => optimizer.stepAsync(), "await it first"],
      ["swapped averages", ({ optimizer }) => optimizer.swapEma(), "restoreEma()"],
      ["a save", ({ optimizer }) => optimizer.save(file("state"), { snapshot: "stream" }), "being saved"],
      ["a load", ({ optimizer }) => optimizer.load(file("saved")), "being loaded"],
    ];
    for (const [what, act, ...parts] of uses) {
      for (const which of [0, 1]) {
        const built = pair({ useEma: true });
        const { optimizer } = built;
        optimizer.step();
        await optimizer.save(file("saved"), { parameters: true });
        let started: unknown;
        const passed = acting(built, () => {
          started = act(built);
        });
        rejectsWith("BUSY", () => optimizer.apply(passed[which]!), ...parts);
        await started;
        if (what === "swapped averages") optimizer.restoreEma();
        expect(optimizer.iterations, what).to.equal(what === "an asynchronous step" ? 2 : 1);
        const twin = pair({ useEma: true });
        for (let i = 0; i < optimizer.iterations; i += 1) twin.optimizer.step();
        const { report: _, ...state } = snapshot(built);
        expect(snapshot(twin), what).to.deep.include(state);
      }
    }
  });

  it("of a schedule's configuration cannot change what a save writes", async () => {
    for (const snapshotOf of ["copy", "stream"] as const) {
      const attempts: string[] = [];
      class Acting {
        at = () => 0.1;
        getConfig() {
          try {
            built.optimizer.step();
          } catch (error) {
            attempts.push((error as { code: string }).code);
          }
          return {};
        }
      }
      const learningRate = new Acting();
      const built = pair({ learningRate });
      built.optimizer.step();
      const expected = snapshot(built);
      await built.optimizer.save(file("acting"), { parameters: true, snapshot: snapshotOf });
      expect(attempts).to.deep.equal(["BUSY"]);
      expect(snapshot(built)).to.deep.equal(expected);
      built.optimizer.step();
      await built.optimizer.load(file("acting"));
      const { report: _, ...state } = snapshot(built);
      expect(expected).to.deep.include(state);
    }
  });

  it("of options cannot start a load beside a save, or a step beside a load", async () => {
    const { optimizer } = pair();
    optimizer.step();
    await optimizer.save(file("before"));
    let started: Promise<unknown> | undefined;
    const metadata = {
      get metadata() {
        started ??= optimizer.load(file("before"));
        return {};
      },
    };
    await rejectsLater("BUSY", optimizer.save(file("beside"), metadata), "being loaded");
    await started;
    started = undefined;
    const mode = {
      get mode() {
        started ??= optimizer.stepAsync();
        return "strict" as const;
      },
    };
    await rejectsLater("BUSY", optimizer.load(file("before"), mode), "asynchronous step");
    await started;
    expect(optimizer.iterations).to.equal(2);
  });

  it("of rebinding see the optimizer as it was", () => {
    const built = pair();
    const binding = {
      name: "dense/kernel",
      get value() {
        built.optimizer.dispose();
        return new Float32Array(4);
      },
    };
    rejectsWith("DISPOSED", () => built.optimizer.rebind([binding]));
    expect(built.optimizer.built).to.equal(false);
  });
});
