import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { bytesOf, memoryTensor } from "../../lib/state/optimizer-state.js";
import { indexName } from "../../lib/state/own-format.js";
import { writeSafetensors } from "../../lib/state/safetensors-writer.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

const index = "optimizer.safetensors.index.json";
const make = () =>
  new AdamW().build([
    { name: "a", value: new Float32Array(2) },
    { name: "b", value: new Float32Array(3) },
  ]);
const state = ({ variables }: AdamW) => variables.map(({ value }) => [...value]);

describe("the index of a folder of shards", () => {
  const file = temporaryFolder();
  const saved = make();

  before(async () => {
    saved.apply([Float32Array.of(1, 2), Float32Array.of(3, 4, 5)]);
    await saved.save(file("own"), { shardBytes: 20 });
  });

  it("is loaded as the folder is", async () => {
    const [byIndex, byFolder] = [make(), make()];
    const report = await byIndex.load(file("own", indexName));
    expect(report).to.deep.equal(await byFolder.load(file("own")));
    expect(state(byIndex)).to.deep.equal(state(saved));
  });

  it("is replaced by no save", async () => {
    const tfjs = new AdamW({ formula: "torch", weightDecay: 0 }).build([{ name: "a", value: new Float32Array(2) }]);
    const before = await readFile(file("own", index));
    const problem = "Expected the folder of shards instead of its index";
    await rejectsLater("INVALID_ARGUMENT", tfjs.save(file("own", index)), problem);
    await rejectsLater("INVALID_ARGUMENT", make().save(file("own", index), { format: "fused-adamw" }), problem);
    expect(await readFile(file("own", index))).to.deep.equal(before);
    await copyFile(file("own", index), file("renamed.json"));
    await rejectsLater("CHECKPOINT", tfjs.save(file("renamed.json")), "an index of shards, no model.json");
  });

  /** A folder as Hugging Face's libraries write one, with these shards and whatever the index says of them. */
  async function write(folder: string, shards: Readonly<Record<string, string[]>>, files = shards): Promise<string> {
    await mkdir(file(folder));
    for (const [name, tensors] of Object.entries(shards)) {
      const made = tensors.map((tensor) =>
        tensor.endsWith(".step")
          ? memoryTensor(tensor, "I64", [], bytesOf(BigInt64Array.of(7n)))
          : memoryTensor(tensor, "F32", [tensor.startsWith("a") ? 2 : 3], bytesOf(new Float32Array(3).fill(4))),
      );
      await writeSafetensors(file(folder, name), made, () => ({ format: "pt" }));
    }
    const map = Object.entries(files).flatMap(([name, tensors]) => tensors.map((tensor) => [tensor, name]));
    const metadata = { total_size: 99, total_parameters: 5 };
    await writeFile(file(folder, index), JSON.stringify({ metadata, weight_map: Object.fromEntries(map) }));
    return file(folder, index);
  }
  const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const slots = (name: string) => ["step", "exp_avg", "exp_avg_sq"].map((slot) => `${name}.${slot}`);

  it("of other libraries is read where its tensors are named like state", async () => {
    const path = await write("other", { [first]: slots("a"), [second]: slots("b") });
    const optimizer = make();
    const report = await optimizer.load(path);
    expect([report.format, report.path, optimizer.iterations]).to.deep.equal(["safetensors", file("other"), 7]);
    expect(optimizer.variables.at(-1)?.value).to.deep.equal(new Float32Array(3).fill(4));
    const model = await write("model", { [first]: ["a.weight"], [second]: ["b.weight"] });
    await rejectsLater("CHECKPOINT", make().load(model), "no optimizer state");
  });

  it("of other libraries names files beside it, and what is in them", async () => {
    const outside = await write("outside", {}, { "../own/a.safetensors": slots("a") });
    await rejectsLater("CHECKPOINT", make().load(outside), index, "../own/a.safetensors", "beside it");
    const missing = await write("missing", {}, { [first]: slots("a") });
    await rejectsLater("CHECKPOINT", make().load(missing), first, "missing");
    const wrong = await write("wrong", { [first]: slots("a") }, { [first]: slots("b") });
    await rejectsLater("CHECKPOINT", make().load(wrong), "the index does not say that it is in");
  });

  it("that lost what it says of our shards does not pass for another library's", async () => {
    await mkdir(file("lost"));
    for (const name of await readdir(file("own"))) await copyFile(file("own", name), file("lost", name));
    const json = JSON.parse(await readFile(file("lost", index), "utf8"));
    await writeFile(file("lost", index), JSON.stringify({ ...json, metadata: {} }));
    await rejectsLater("CHECKPOINT", make().load(file("lost")), "another time than the index");
    await writeFile(file("lost", index), JSON.stringify({ ...json, metadata: undefined }));
    await rejectsLater("CHECKPOINT", make().load(file("lost")), "expected { metadata, weight_map }");
    await rm(file("lost", index));
    await rejectsLater("CHECKPOINT", make().load(file("lost")), "never finished");
  });
});
