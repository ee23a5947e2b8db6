import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { AdamW, CheckpointManager, type FilePath, LossScaleOptimizer } from "../../lib/index.js";
import { rejects } from "../rejects.js";
import { temporaryFolder } from "../temporary.js";
import { makeManaged as make } from "./managed.js";
import { rejectsLater } from "./rejects-later.js";

describe("where a file is", () => {
  const file = temporaryFolder();

  it("may be said by a file: URL, for saves, loads and managers", async () => {
    const { optimizer, step } = make();
    step();
    const path = file("with a space.safetensors");
    expect(await optimizer.save(pathToFileURL(path))).to.have.property("path", path);
    expect(await optimizer.load(path)).to.have.property("path", path);
    expect(await make().optimizer.load(pathToFileURL(path))).to.have.property("path", path);
    const scaled = new LossScaleOptimizer(new AdamW()).build([{ name: "w", value: new Float32Array(50) }]);
    expect(await scaled.save(pathToFileURL(file("scaled")))).to.have.property("path", file("scaled"));
    expect(await scaled.load(pathToFileURL(file("scaled")))).to.have.property("path", file("scaled"));
    const saved = await new CheckpointManager(optimizer, { folder: pathToFileURL(file("managed/")) }).save();
    const resumed = await new CheckpointManager(optimizer, { folder: file("managed") }).resume();
    expect(resumed?.path).to.equal(file("managed", "checkpoint-000000000001.safetensors"));
    expect(saved.path).to.equal(resumed?.path);
  });

  it("takes the format from a URL's extension", async () => {
    const optimizer = new AdamW({ formula: "torch" }).build([{ name: "w", value: new Float32Array(5) }]);
    await optimizer.save(pathToFileURL(file("state.pt")));
    expect((await optimizer.load(file("state.pt"))).format).to.equal("torch");
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(pathToFileURL(file("state.npz"))), "NumPy's");
  });

  it("is a path or such a URL, and nothing else", async () => {
    const { optimizer } = make();
    const expected = "Expected a non-empty string or a file: URL for";
    for (const [wrong, received] of [
      [new URL("https://example.com/a"), '"https://example.com/a"'],
      [new URL("file://host/a"), '"file://host/a"'],
      [new URL("file:///a%2Fb"), '"file:///a%2Fb"'],
      [new URL("file:///a%00b"), '"/a\\u0000b"'],
      ["", '""'],
      [3, "3"],
      [{}, "{}"],
    ] as const) {
      if (process.platform === "win32" && received.includes("host")) continue;
      const message = `${expected} path but received ${received}`;
      await rejectsLater("INVALID_ARGUMENT", optimizer.save(wrong as FilePath), message);
      await rejectsLater("INVALID_ARGUMENT", optimizer.load(wrong as FilePath), message);
      rejects(() => new CheckpointManager(optimizer, { folder: wrong as FilePath }), `${expected} folder but received`);
    }
  });
});
