import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, AdamWError, CheckpointError } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import type { Checkpoint } from "../../lib/state/checkpoint.js";
import { contentChecksum } from "../../lib/state/metadata.js";
import { readOwn } from "../../lib/state/own-format.js";
import { PieceReader } from "../../lib/state/pieces.js";
import { formatHeader } from "../../lib/state/safetensors-header.js";
import { openSafetensors, readSafetensors } from "../../lib/state/safetensors-reader.js";
import { verifyTensor } from "../../lib/state/verify.js";
import { temporaryFolder } from "../temporary.js";
import { Dice, damage, fuzzRuns } from "./mutations.js";

/** Everything a checkpoint says. */
async function contentOf(checkpoint: Checkpoint): Promise<string> {
  const reader = new PieceReader();
  const { optimizer, learningRate, counters, parameters, metadata } = checkpoint;
  const tensors = [];
  for (const tensor of checkpoint.tensors.values()) {
    await verifyTensor(checkpoint.path, tensor, reader);
    const data = Buffer.alloc(tensor.byteLength);
    await tensor.read(0, data);
    tensors.push([tensor.name, tensor.dtype, tensor.shape, data.toString("base64")]);
  }
  return JSON.stringify([optimizer, learningRate, counters, parameters, metadata, tensors]);
}

describe("a damaged safetensors file", () => {
  const file = temporaryFolder();
  const runs = fuzzRuns(100_000);

  it(`is an error with a code, or says what the good one says: ${runs} files`, async function () {
    this.timeout(600_000 + runs * 5);
    const optimizer = new AdamW({ useEma: true });
    const value = Float32Array.of(1, 2, 3);
    optimizer.build([{ name: "a/é", value }]);
    optimizer.apply([value.slice()]);
    await optimizer.save(file("good"), { metadata: { epoch: "1" } });
    const good = await readFile(file("good"));
    const open = async (bytes: Buffer) => contentOf(readOwn(await readSafetensors(new ByteMemory("memory", bytes))));
    const expected = await open(good);
    let rejected = 0;
    for (let run = 0; run < runs; run += 1) {
      try {
        const content = await open(damage(good, new Dice(run)));
        if (content !== expected) expect.fail(`file ${run} says something else: ${content}`);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        rejected += 1;
      }
    }
    expect(rejected).to.be.above(runs * 0.8);
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  });

  it("with the right checksum of a wrong header is an error with a code and changes nothing, or fits", async () => {
    const make = () => {
      const optimizer = new AdamW({ useEma: true });
      return optimizer.build([{ name: "a/é", value: Float32Array.of(1, 2, 3) }]);
    };
    const { tensors, metadata, close } = await openSafetensors(file("good"));
    await close();
    const data = (await readFile(file("good"))).subarray(tensors[0]?.offset);
    const fresh = make();
    const state = ({ variables }: AdamW) => JSON.stringify(variables.map(({ value }) => [...value]));
    const untouched = state(fresh);
    let rejected = 0;
    for (let run = 0; run < fuzzRuns(1000); run += 1) {
      const dice = new Dice(run);
      const key = dice.one(Object.keys(metadata).filter((name) => name !== "checksum"));
      const strings = { ...metadata, [key]: damage(Buffer.from(metadata[key] as string), dice).toString() };
      const header = formatHeader(tensors, { ...strings, checksum: contentChecksum(strings, tensors) });
      await writeFile(file("hostile"), Buffer.concat([header, data]));
      try {
        await fresh.load(file("hostile"), { config: "keep" });
        fresh.setWeights(make().variables);
      } catch (error) {
        if (!(error instanceof AdamWError)) throw error;
        expect(error.code).to.equal("CHECKPOINT");
        expect(state(fresh)).to.equal(untouched);
        rejected += 1;
      }
    }
    expect(rejected).to.be.above(250);
  });
});
