import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, AdamWError, CheckpointError } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import type { Checkpoint } from "../../lib/state/checkpoint.js";
import { PickleError } from "../../lib/state/pickle-reader.js";
import { PieceReader } from "../../lib/state/pieces.js";
import { openTorch as openEntries } from "../../lib/state/torch-reader.js";
import { verifyTensor } from "../../lib/state/verify.js";
import { readZip, type ZipEntry } from "../../lib/state/zip-reader.js";
import { temporaryFolder } from "../temporary.js";
import { Dice, damage, fuzzRuns } from "./mutations.js";
import { madeUp } from "./pickle-mutations.js";
import { archive, bytesOfSource, entriesOf, openTorch } from "./torch-archive.js";

const fixture = (name: string) => fileURLToPath(new URL(`torch/${name}`, import.meta.url));
const goodFiles = ["named.pt", "unnamed.pt", "model.pt", "ours.pt"].map((name) => readFileSync(fixture(name)));

/** Everything that loading reads. */
async function contentOf({ optimizer, learningRate, counters, tensors }: Checkpoint): Promise<string> {
  const reader = new PieceReader();
  const contents = [];
  for (const tensor of tensors.values()) {
    await verifyTensor("fuzz.pt", tensor, reader);
    const data = Buffer.alloc(tensor.byteLength);
    await tensor.read(0, data);
    contents.push([tensor.name, tensor.shape, data.toString("hex")]);
  }
  return JSON.stringify([optimizer, learningRate, counters, contents]);
}

describe("a PyTorch file", () => {
  const runs = fuzzRuns(10_000);
  it(`that was damaged is an error with a code, or says what the good one says: ${runs} files`, async function () {
    this.timeout(600_000 + runs * 10);
    const [good] = goodFiles as [Buffer];
    const open = async (bytes: Buffer) => contentOf(await openTorch(new ByteMemory("fuzz.pt", bytes)));
    const expected = await open(good);
    let rejected = 0;
    for (let run = 0; run < runs; run += 1) {
      try {
        expect(await open(damage(good, new Dice(run))), `file ${run}`).to.equal(expected);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        rejected += 1;
      }
    }
    expect(rejected).to.be.above(runs / 4);
  });
});

/** How far pickles came. */
interface Reached {
  /** The reader of pickles rejected it. */
  pickle: number;
  /** It is a pickle, but no state_dict, or one whose tensors do not fit. */
  stateDict: number;
  /** It was read. */
  whole: number;
}

async function count(reached: Reached, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    reached.whole += 1;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    reached[error.cause instanceof PickleError ? "pickle" : "stateDict"] += 1;
  }
}

/** No checksum stands before these: the pickle is damaged, and the archive is right. */
describe("a damaged pickle of PyTorch", () => {
  const file = temporaryFolder();
  const names = ["a", "b", "c"];
  const runs = fuzzRuns(100_000);

  it(`is an error with a code, or is read: ${runs} pickles`, async function () {
    this.timeout(600_000 + runs * 10);
    const goods = await Promise.all(
      goodFiles.map(async (bytes) => {
        const source = new ByteMemory("fuzz.pt", bytes);
        const entries = await readZip(source);
        const name = [...entries.keys()].find((key) => key.endsWith("/data.pkl")) as string;
        const entry = entries.get(name) as ZipEntry;
        return { source, entries, name, entry, pickle: await entry.bytes(entry.size) };
      }),
    );
    const before = process.resourceUsage().maxRSS;
    const damaged: Reached = { pickle: 0, stateDict: 0, whole: 0 };
    const invented: Reached = { pickle: 0, stateDict: 0, whole: 0 };
    for (let run = 0; run < runs; run += 1) {
      const dice = new Dice(run);
      const { source, entries, name, entry, pickle } = dice.one(goods);
      const isInvented = run % 4 === 3;
      const bytes = isInvented ? madeUp(dice) : damage(pickle, dice);
      const changed = new Map([...entries, [name, { ...entry, size: bytes.length, bytes: async () => bytes }]]);
      await count(isInvented ? invented : damaged, async () => {
        await contentOf(await openEntries(source, changed, dice.one([{}, { names }, { numbered: true }])));
      });
    }
    for (const [what, { pickle, stateDict, whole }] of Object.entries({ damaged, invented })) {
      expect(pickle, `${what}: rejected as pickles`).to.be.above(runs / 40);
      expect(stateDict, `${what}: pickles, but no state`).to.be.above(runs / 200);
      expect(whole, `${what}: read`).to.be.above(0);
    }
    expect((process.resourceUsage().maxRSS - before) * 1024, "bytes of memory").to.be.at.most(2 ** 28);
  });

  const files = fuzzRuns(1000);
  it(`in a file changes nothing, or is a state that fits: ${files} files`, async function () {
    this.timeout(600_000 + files * 10);
    const { pickle, more } = await entriesOf(await readFile(fixture("named.pt")));
    const shapes = { "dense.weight": [5, 3], "dense.bias": [5], scale: [] };
    const make = () =>
      new AdamW({ formula: "torch", amsgrad: true }).build(
        Object.entries(shapes).map(([name, shape]) => ({
          name,
          shape,
          value: new Float32Array(shape.reduce((a, b) => a * b, 1)),
        })),
      );
    const state = ({ variables }: AdamW) => JSON.stringify(variables.map(({ value }) => [...value]));
    const untouched = state(make());
    const reached = { rejected: 0, loaded: 0 };
    for (let run = 0; run < files; run += 1) {
      const source = await archive(damage(pickle, new Dice(run)), more);
      await writeFile(file("hostile.pt"), await bytesOfSource(source));
      const optimizer = make();
      try {
        await optimizer.load(file("hostile.pt"), { config: "keep" });
        reached.loaded += 1;
      } catch (error) {
        if (!(error instanceof AdamWError)) throw error;
        expect(error.code).to.equal("CHECKPOINT");
        expect(state(optimizer)).to.equal(untouched);
        reached.rejected += 1;
      }
    }
    expect(reached.rejected).to.be.above(files / 4);
    expect(reached.loaded).to.be.above(0);
  });
});
