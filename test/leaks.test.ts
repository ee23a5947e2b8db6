import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { pair } from "./optimizers.js";

const mebibyte = 2 ** 20;

/**
 * How much more memory the process has after `work`, in MiB; what the first rounds set up does not count. Objects that
 * are forgotten go in their own time, so the least of several looks counts.
 */
async function growth(work: () => void | Promise<void>): Promise<number> {
  const settle = async () => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i += 1) {
      global.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 10));
      least = Math.min(least, process.memoryUsage.rss());
    }
    return least;
  };
  await work();
  await work();
  const before = await settle();
  await work();
  return ((await settle()) - before) / mebibyte;
}

describe("memory use", () => {
  it("stays flat over 100,000 steps, with bound gradients and with others", async () => {
    const { optimizer } = pair({ useEma: true, globalClipnorm: 1, reportNorms: true });
    const others = [new Float32Array(4).fill(1), null];
    const leaked = await growth(() => {
      for (let i = 0; i < 50_000; i += 1) {
        optimizer.step();
        optimizer.apply(others);
      }
    });
    expect(leaked).to.be.below(8);
  });

  it("stays flat over asynchronous steps, finished and refused", async () => {
    const { optimizer } = pair();
    const leaked = await growth(async () => {
      for (let i = 0; i < 5_000; i += 1) {
        await optimizer.stepAsync();
        await optimizer.applyAsync([]).catch(() => {});
      }
    });
    expect(leaked).to.be.below(8);
  });

  // Each takes 1.5 MiB of state: any that stayed would show.
  const build = (device = "cpu") =>
    new AdamW({ amsgrad: true }, { device, threads: 1 }).build([{ name: "a", value: new Float32Array(mebibyte / 8) }]);

  it("stays flat over 1,000 optimizers that are disposed of", async () => {
    const leaked = await growth(() => {
      for (let i = 0; i < 1000; i += 1) build().dispose();
    });
    // They take 1,500 MiB together.
    expect(leaked).to.be.below(100);
  });

  it("comes back from optimizers that are forgotten", async () => {
    const leaked = await growth(async () => {
      for (let i = 0; i < 300; i += 1) {
        build();
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    });
    // They take 450 MiB together, and their parameters 150.
    expect(leaked).to.be.below(64);
  });

  it("stays flat over checkpoints that are saved from the state and loaded into it", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "fused-adamw-leaks-")), "checkpoint");
    try {
      const leaked = await growth(async () => {
        for (let i = 0; i < 150; i += 1) {
          const optimizer = build();
          await optimizer.save(path, { snapshot: "stream" });
          const other = build();
          await other.load(path);
          await other.load(path);
          for (const built of [optimizer, other]) built.dispose();
        }
      });
      // They take 450 MiB together.
      expect(leaked).to.be.below(100);
    } finally {
      rmSync(dirname(path), { recursive: true });
    }
  });

  it("stays flat over builds that fail", async () => {
    const leaked = await growth(() => {
      for (let i = 0; i < 1000; i += 1) expect(() => build("tpu")).to.throw();
    });
    // Their parameters take 500 MiB together; the allocator has kept 25 at times.
    expect(leaked).to.be.below(100);
  });
});
