import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { AdamW, CheckpointError } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import type { Checkpoint } from "../../lib/state/checkpoint.js";
import { openCheckpoint } from "../../lib/state/formats.js";
import { parseJson } from "../../lib/state/json-file.js";
import { PieceReader } from "../../lib/state/pieces.js";
import { readTfjs } from "../../lib/state/tfjs-reader.js";
import { verifyTensor } from "../../lib/state/verify.js";
import { temporaryFolder } from "../temporary.js";
import { Dice, damage, fuzzRuns } from "./mutations.js";
import { rejectsLater } from "./rejects-later.js";

type Shards = Readonly<Record<string, Buffer>>;
type Entry = Record<string, unknown>;

/** A checkpoint of a model.json and shards in memory. */
async function open(text: Buffer, shards: Shards): Promise<Checkpoint> {
  return readTfjs("model.json", parseJson("model.json", text), async (name) => {
    const bytes = Object.hasOwn(shards, name) ? shards[name] : undefined;
    if (!bytes) throw new CheckpointError("model.json", "this shard is missing", { key: name });
    return new ByteMemory(name, bytes);
  });
}

/** Everything a checkpoint says. */
async function contentOf(checkpoint: Checkpoint): Promise<string> {
  const reader = new PieceReader();
  const { optimizer, learningRate, parameters, metadata } = checkpoint;
  const tensors = [];
  for (const tensor of checkpoint.tensors.values()) {
    await verifyTensor(checkpoint.path, tensor, reader);
    const data = Buffer.alloc(tensor.byteLength);
    await tensor.read(0, data);
    tensors.push([tensor.name, tensor.dtype, tensor.shape, data.toString("base64")]);
  }
  return JSON.stringify([optimizer, learningRate, parameters, metadata, tensors]);
}

/** What TensorFlow.js saves for one variable of two elements. */
const weights: readonly Entry[] = [
  { name: "iter", shape: [], dtype: "int32", group: "optimizer" },
  { name: "w/m", shape: [2], dtype: "float32", group: "optimizer" },
  { name: "w/v", shape: [2], dtype: "float32", group: "optimizer" },
];
const data = Buffer.from(new Uint8Array(new Int32Array([3, 1, 2, 3, 4]).buffer));
const adam = { class_name: "Adam", config: { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-7 } };

function manifest(changes: { paths?: unknown; weights?: unknown; adam?: unknown } = {}): Buffer {
  const weightsManifest = [{ paths: changes.paths ?? ["a.bin"], weights: changes.weights ?? weights }];
  return Buffer.from(JSON.stringify({ trainingConfig: { optimizer_config: changes.adam ?? adam }, weightsManifest }));
}

const change = (place: number, entry: Entry) =>
  weights.map((weight, i) => (i === place ? { ...weight, ...entry } : weight));

async function fails(key: string | undefined, text: Buffer, shards: Shards, ...parts: string[]): Promise<void> {
  const error = await rejectsLater("CHECKPOINT", open(text, shards), ...parts);
  expect(error).to.be.instanceOf(CheckpointError).with.property("key", key);
}

describe("hostile TensorFlow.js files", () => {
  const file = temporaryFolder();

  it("are told from good ones, which are read in any order of weights and shards", async () => {
    const good = await open(manifest({ paths: ["./x/a.bin", "b.bin"] }), {
      "x/a.bin": data.subarray(0, 7),
      "b.bin": data.subarray(7),
    });
    expect([...good.tensors.keys()]).to.deep.equal(["w.exp_avg", "w.exp_avg_sq", "w.step"]);
    const turned = [weights[2], weights[0], weights[1]];
    const { tensors } = await open(manifest({ weights: turned }), { "a.bin": data });
    const second = Buffer.alloc(8);
    await tensors.get("w.exp_avg_sq")?.read(0, second);
    expect(second).to.deep.equal(data.subarray(0, 8));
    const odd = change(1, { name: "__proto__/m" });
    expect((await open(manifest({ weights: odd }), { "a.bin": data })).parameters[0]?.name).to.equal("__proto__");
  });

  it("leave their folder in no way", async () => {
    const paths = [
      "../a.bin",
      "/etc/passwd",
      "x/../../a.bin",
      "x\\..\\a.bin",
      "C:a.bin",
      "file:///etc/passwd",
      "",
      "x//a",
    ];
    for (const path of [...paths, "a\0.bin", "..", "."]) {
      const key = path;
      await fails(key, manifest({ paths: [path] }), { [path]: data }, "the relative path of a file");
    }
    await fails("", manifest({ paths: [7] }), {}, "the relative path of a file");
  });

  it("with missing, repeated, unordered or wrong shards are rejected with their names", async () => {
    const halves = { "w-shard1of2.bin": data.subarray(0, 8), "w-shard2of2.bin": data.subarray(8) };
    await open(manifest({ paths: ["w-shard1of2.bin", "w-shard2of2.bin"] }), halves);
    const turned = manifest({ paths: ["w-shard2of2.bin", "w-shard1of2.bin"] });
    await fails("w-shard2of2.bin", turned, halves, "it stands at place 1 of 2");
    await fails("w-shard1of2.bin", manifest({ paths: ["w-shard1of2.bin"] }), halves, "it stands at place 1 of 1");
    await fails("a.bin", manifest({ paths: ["a.bin", "./a.bin"] }), { "a.bin": data }, "twice");
    await fails("b.bin", manifest({ paths: ["b.bin"] }), { "a.bin": data }, "missing");
    await fails("a.bin", manifest(), { "a.bin": data.subarray(1) }, "its weights have 20 bytes", "19");
    await fails("a.bin", manifest(), { "a.bin": Buffer.concat([data, data]) }, "its weights have 20 bytes", "40");
    writeFileSync(file("model.json"), manifest());
    await rejectsLater("CHECKPOINT", openCheckpoint(file("model.json")), '"a.bin"', "missing");
  });

  it("with weights of other kinds are rejected with their names", async () => {
    const cases: [Entry, string][] = [
      [{ quantization: { dtype: "uint8", min: 0, scale: 1 } }, 'quantized weights ("uint8")'],
      [{ dtype: "string" }, "string"],
      [{ dtype: "complex64" }, "complex64"],
      [{ dtype: "__proto__" }, "__proto__"],
      [{ shape: [-1] }, "integers ≥ 0"],
      [{ shape: [2 ** 40, 2 ** 40] }, "more elements than can be counted"],
      [{ group: "other" }, "no known group"],
    ];
    for (const [entry, problem] of cases) {
      await fails("w/v", manifest({ weights: change(2, entry) }), { "a.bin": data }, problem);
    }
    const shards = { "a.bin": data };
    await fails(
      "w/rms",
      manifest({ weights: change(2, { name: "w/rms" }) }),
      shards,
      "no state of TensorFlow.js' Adam",
    );
    await fails("w/m", manifest({ weights: change(2, { name: "w/m" }) }), shards, "two weights");
    await fails("weightsManifest", manifest({ weights: change(2, { name: "" }) }), shards, "without a name");
    await fails("iter", manifest({ weights: change(0, { dtype: "float32" }) }), shards, "one int32");
    await fails("iter", manifest({ weights: change(0, { name: "epoch/m" }) }), shards, "includeOptimizer");
    const negative = Buffer.from(data);
    negative.writeInt32LE(-1);
    await fails("iter", manifest(), { "a.bin": negative }, "an integer ≥ 0");
    await fails("optimizer_config", manifest({ adam: { class_name: "SGD", config: {} } }), shards, "SGD");
    const nan = { ...adam, config: { ...adam.config, beta1: "0.9" } };
    await fails("beta_1", manifest({ adam: nan }), shards, "a finite number");
  });

  it("with other JSON are rejected", async () => {
    const wrong: [string, string | undefined][] = [
      ["{}", "weightsManifest"],
      ['{"weightsManifest":[{"paths":[]}]}', "weightsManifest"],
      ['{"weightsManifest":[],"weightsManifest":[]}', undefined],
      ["[".repeat(100), undefined],
      ["[]", undefined],
      ['{"a":"\xff"}', undefined],
    ];
    for (const [text, key] of wrong) await fails(key, Buffer.from(text, "latin1"), {});
  });

  it("change nothing in the optimizer", async () => {
    const optimizer = new AdamW({ formula: "torch", weightDecay: 0, learningRate: 0.5 });
    optimizer.build([{ name: "w", value: Float32Array.of(1, 2) }]);
    optimizer.apply([Float32Array.of(3, 4)]);
    const state = () => JSON.stringify(optimizer.variables.map(({ value }) => [...value]));
    const before = state();
    await optimizer.save(file("own"), { format: "tfjs" });
    const [shard = ""] = readdirSync(file("own")).filter((name) => name.endsWith(".bin"));
    const bytes = readFileSync(file("own", shard));
    bytes[9] = (bytes[9] as number) ^ 1;
    writeFileSync(file("own", shard), bytes);
    await rejectsLater("CHECKPOINT", optimizer.load(file("own")), "w.exp_avg", "the data is damaged");
    expect(state()).to.equal(before);
    await optimizer.save(file("own"), { format: "tfjs" });
    await optimizer.load(file("own"));
    writeFileSync(file("own", "model.json"), readFileSync(file("own", "model.json"), "utf8").replace("0.5", "0.6"));
    await rejectsLater("CHECKPOINT", optimizer.load(file("own")), "the checksum is wrong");
    await rejectsLater("CHECKPOINT", optimizer.save(file("own"), { format: "tfjs" }), "the checksum is wrong");
    expect(state()).to.equal(before);
  });
});

describe("a damaged TensorFlow.js file", () => {
  const file = temporaryFolder();
  const runs = fuzzRuns(100_000);

  it(`of ours is an error with a code, or says what the good one says: ${runs} files`, async function () {
    this.timeout(600_000 + runs * 5);
    const optimizer = new AdamW({ formula: "torch", weightDecay: 0 });
    const value = Float32Array.of(1, 2, 3);
    optimizer.build([{ name: "a/é", value }]);
    optimizer.apply([value.slice()]);
    await optimizer.save(file("good"), { format: "tfjs", shardBytes: 16, metadata: { epoch: "1" } });
    const files = readdirSync(file("good")).map((name): [string, Buffer] => [name, readFileSync(file("good", name))]);
    const read = async (list: readonly [string, Buffer][]) => {
      const shards = Object.fromEntries(list);
      return contentOf(await open(shards["model.json"] as Buffer, shards));
    };
    const expected = await read(files);
    let rejected = 0;
    for (let run = 0; run < runs; run += 1) {
      const dice = new Dice(run);
      const chosen = dice.one([...files.keys(), ...files.keys(), files.findIndex(([name]) => name === "model.json")]);
      const damaged = files.map(([name, bytes], i): [string, Buffer] => [
        name,
        i === chosen ? damage(bytes, dice) : bytes,
      ]);
      try {
        const content = await read(damaged);
        if (content !== expected) expect.fail(`file ${run} says something else: ${content}`);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        rejected += 1;
      }
    }
    expect(rejected).to.be.above(runs * 0.8);
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  });

  const foreignRuns = fuzzRuns(50_000);
  it(`of TensorFlow.js, which has no checksums, is an error with a code or is read: ${foreignRuns} files`, async function () {
    this.timeout(600_000 + foreignRuns * 5);
    let [rejected, read] = [0, 0];
    for (let run = 0; run < foreignRuns; run += 1) {
      const dice = new Dice(run);
      const isText = dice.below(8) > 0;
      try {
        const text = isText ? damage(manifest(), dice) : manifest();
        const checkpoint = await open(text, { "a.bin": isText ? data : damage(data, dice) });
        await contentOf(checkpoint);
        for (const tensor of checkpoint.tensors.values()) expect(tensor.byteLength).to.be.at.most(data.length);
        read += 1;
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        rejected += 1;
      }
    }
    expect(rejected).to.be.above(foreignRuns / 2);
    expect(read).to.be.above(foreignRuns / 100);
  });
});
