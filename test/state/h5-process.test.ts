import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamWError, CheckpointError } from "../../lib/index.js";
import { H5Process } from "../../lib/state/h5-process.js";
import { innerGroup, ownGroup } from "../../lib/state/keras-layout.js";
import { temporaryFolder } from "../temporary.js";
import { fixture, make, state } from "./keras-cases.js";
import { Dice, damage, fuzzRuns } from "./mutations.js";
import { rejectsLater } from "./rejects-later.js";

describe("the process that reads HDF5", function () {
  this.timeout(300_000);

  it("is started without this process' own program and debugger", async () => {
    const { NODE_OPTIONS } = process.env;
    const flags = ["--eval", "process.exit(9)", "--inspect-brk=0"];
    process.execArgv.push(...flags);
    process.env.NODE_OPTIONS = `${NODE_OPTIONS ?? ""} --inspect-brk=0`;
    try {
      (await H5Process.start("any.h5", 60_000)).close();
    } finally {
      process.execArgv.splice(-flags.length);
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = NODE_OPTIONS;
    }
  });
});

describe("hostile HDF5 files", function () {
  this.timeout(300_000);
  const file = temporaryFolder();
  const runs = fuzzRuns(5000);

  it("end with the library's process when it takes too long", async () => {
    await rejectsLater("CHECKPOINT", H5Process.start("slow.h5", 1), "took longer than 1 ms");
  });

  it(`are an error with a code, or are read, and never end this process: ${runs} files`, async function () {
    this.timeout(600_000 + runs * 20);
    const good = await readFile(fixture("plain.weights.h5"));
    let library = await H5Process.start("fuzz.h5");
    let rejected = 0;
    try {
      for (let run = 0; run < runs; run += 1) {
        await writeFile(file("fuzz.h5"), damage(good, new Dice(run)));
        if (!library.alive) library = await H5Process.start("fuzz.h5");
        await library.read(file("fuzz.h5"), [ownGroup, innerGroup], good.length * 2).catch((error: unknown) => {
          if (!(error instanceof CheckpointError)) throw error;
          rejected += 1;
        });
      }
    } finally {
      library.close();
    }
    expect(rejected).to.be.above(runs / 20);
  });

  it("leave the optimizer as it was", async () => {
    const { optimizer, train } = make("plain");
    train(0, 3);
    const before = state(optimizer);
    const good = await readFile(fixture("plain.keras"));
    for (let run = 0; run < 5; run += 1) {
      await writeFile(file("bad.keras"), damage(good, new Dice(run)).subarray(0, -1 - run));
      const error = await optimizer.load(file("bad.keras")).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).to.be.instanceOf(AdamWError);
    }
    expect(state(optimizer)).to.deep.equal(before);
  });
});
