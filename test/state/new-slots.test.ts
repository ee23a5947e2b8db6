/** Loading into an optimizer that has taken no step: its slots are read once, and are new again if that goes wrong. */

import { truncateSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { temporaryFolder } from "../temporary.js";
import { type Case, cases, fingerprint, make, train } from "./cases.js";
import { rejectsLater } from "./rejects-later.js";

const rich = cases.find(({ name }) => name === "averages, accumulation and amsgrad") as Case;

describe("loading into new slots", () => {
  const file = temporaryFolder();
  const saved = make(rich);
  let good: Buffer;

  before(async () => {
    train(saved, 0, 5);
    await saved.optimizer.save(file("good"));
    await saved.optimizer.save(file("values"), { parameters: true });
    good = await readFile(file("good"));
  });

  /** The file with another last byte: all but one of its tensors have been loaded when that shows. */
  async function damaged(): Promise<string> {
    const bad = Buffer.from(good);
    bad[bad.length - 1] = (bad[bad.length - 1] as number) ^ 1;
    await writeFile(file("bad"), bad);
    return file("bad");
  }

  it("leaves them new where the file is damaged, and steps and loads go on from there", async () => {
    const training = make(rich);
    const untouched = make(rich);
    await rejectsLater("CHECKPOINT", training.optimizer.load(await damaged()), "damaged");
    expect(fingerprint(training)).to.equal(fingerprint(untouched));
    train(training, 0, 3);
    train(untouched, 0, 3);
    expect(fingerprint(training)).to.equal(fingerprint(untouched));
    await training.optimizer.load(file("values"));
    expect(fingerprint(training)).to.equal(fingerprint(saved));
  });

  it("leaves them new where it is stopped half-way", async () => {
    const training = make(rich);
    const controller = new AbortController();
    const progress = ({ done, total }: { done: number; total: number }) => done > total / 2 && controller.abort();
    const loading = training.optimizer.load(file("good"), { signal: controller.signal, progress });
    await rejectsLater("ABORTED", loading);
    expect(fingerprint(training)).to.equal(fingerprint(make(rich)));
  });

  it("reads them once: a file that is cut when all has been read is no harm", async () => {
    const training = make(rich);
    await writeFile(file("cut"), good);
    const progress = ({ done, total }: { done: number; total: number }) => {
      if (done === total) truncateSync(file("cut"), 4000);
    };
    await training.optimizer.load(file("cut"), { progress });
    expect(training.optimizer.iterations).to.equal(saved.optimizer.iterations);
  });

  const touches: Record<string, (training: ReturnType<typeof make>) => unknown> = {
    "a step": (training) => train(training, 0, 1),
    "a step off the event loop": async ({ optimizer, values }) => optimizer.applyAsync(values),
    "weights that are set": ({ optimizer }) => optimizer.setWeights(saved.optimizer.variables),
    "a load": ({ optimizer }) => optimizer.load(file("good")),
    "an update, with averages that trade places and back": (training) => {
      train(training, 0, 2);
      training.optimizer.swapEma();
      training.optimizer.restoreEma();
    },
  };
  for (const [name, touch] of Object.entries(touches)) {
    it(`loses nothing that came from ${name}`, async () => {
      const training = make(rich);
      await touch(training);
      const before = fingerprint(training);
      await rejectsLater("CHECKPOINT", training.optimizer.load(await damaged()), "damaged");
      expect(fingerprint(training)).to.equal(before);
    });
  }
});
