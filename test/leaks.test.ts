import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { pair } from "./optimizers.js";
import { temporaryFolder } from "./temporary.js";

const mebibyte = 2 ** 20;

/** The least that the process had in several looks, in MiB: objects that are forgotten go in their own time. */
async function memoryUse(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i += 1) {
    global.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    least = Math.min(least, process.memoryUsage.rss());
  }
  return least / mebibyte;
}

/**
 * Expects a round of work to leave less than `limit` MiB behind. The first two set up what stays. Of three more one is
 * enough: a leak grows in each, what the C library's allocator keeps for later in some.
 */
async function expectFlat(limit: number, work: () => void | Promise<void>): Promise<void> {
  await work();
  await work();
  const uses = [await memoryUse()];
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 && growth >= limit; round += 1) {
    await work();
    uses.push(await memoryUse());
    growth = (uses[round + 1] as number) - (uses[round] as number);
  }
  expect(growth, `MiB after each round: ${uses.map(Math.round).join(", ")}`).to.be.below(limit);
}

describe("memory use", () => {
  it("stays flat over 100,000 steps, with bound gradients and with others", async () => {
    const { optimizer } = pair({ useEma: true, globalClipnorm: 1, reportNorms: true });
    const others = [new Float32Array(4).fill(1), null];
    await expectFlat(8, () => {
      for (let i = 0; i < 50_000; i += 1) {
        optimizer.step();
        optimizer.apply(others);
      }
    });
  });

  it("stays flat over asynchronous steps, finished and refused", async () => {
    const { optimizer } = pair();
    await expectFlat(8, async () => {
      for (let i = 0; i < 5_000; i += 1) {
        await optimizer.stepAsync();
        await optimizer.applyAsync([]).catch(() => {});
      }
    });
  });

  // Each takes 1.5 MiB of state: any that stayed would show.
  const build = (device = "cpu") =>
    new AdamW({ amsgrad: true }, { device, threads: 1 }).build([{ name: "a", value: new Float32Array(mebibyte / 8) }]);

  it("stays flat over 1,000 optimizers that are disposed of", async () => {
    // They take 1,500 MiB together.
    await expectFlat(32, () => {
      for (let i = 0; i < 1000; i += 1) build().dispose();
    });
  });

  it("comes back from optimizers that are forgotten", async () => {
    // They take 450 MiB together, and their parameters 150.
    await expectFlat(64, async () => {
      for (let i = 0; i < 300; i += 1) {
        build();
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });

  it("stays flat over checkpoints that are saved from the state and loaded into it", async () => {
    const path = temporaryFolder()("checkpoint");
    // They take 450 MiB together.
    await expectFlat(100, async () => {
      for (let i = 0; i < 150; i += 1) {
        const optimizer = build();
        await optimizer.save(path, { snapshot: "stream" });
        const other = build();
        await other.load(path);
        await other.load(path);
        for (const built of [optimizer, other]) built.dispose();
      }
    });
  });

  it("stays flat over builds that fail", async () => {
    // Their parameters, were they kept, would show as 130 MiB.
    await expectFlat(32, () => {
      for (let i = 0; i < 1000; i += 1) expect(() => build("tpu")).to.throw();
    });
  });
});
