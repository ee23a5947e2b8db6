import { writeFile } from "node:fs/promises";
import { deflateRawSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { formatOf } from "../../lib/state/format-names.js";
import { writeZip } from "../../lib/state/zip-writer.js";
import { rejects } from "../rejects.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

const make = () => new AdamW().build([{ name: "w", value: new Float32Array(3) }]);

describe("the format of a file", () => {
  const file = temporaryFolder();

  it("that is written is its extension's, and ours where that is nobody's", () => {
    const formats = { torch: ["a.pt", "a.pth", "a.bin"], keras: ["a.keras", "a.weights.h5"], tfjs: ["a/model.json"] };
    for (const [format, paths] of Object.entries(formats)) {
      for (const path of paths) expect(formatOf(path), path).to.equal(format);
    }
    for (const path of ["a", "a.safetensors", "runs.npz/training", ".ckpt", "a.step3", "a.constructor"]) {
      expect(formatOf(path), path).to.equal("fused-adamw");
    }
  });

  it("that others write is refused by its extension, unless ours is asked for by name", async () => {
    for (const name of ["npz", "npy", "pkl", "pickle", "ckpt", "msgpack", "onnx", "gguf"]) {
      rejects(() => formatOf(`a.${name}`), ".safetensors", '"fused-adamw"', `(.${name} is `, `received "a.${name}"`);
    }
    const optimizer = make();
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(file("a.npz")), "NumPy's");
    await rejectsLater("FILE", optimizer.load(file("a.npz")), "a.npz");
    await optimizer.save(file("a.npz"), { format: "fused-adamw" });
    expect((await optimizer.load(file("a.npz"))).format).to.equal("fused-adamw");
  });

  it("is safetensors whatever the length of its header, which these bytes are too", async () => {
    for (const [length, beginning] of [
      [0x0280, "\x80\x02"],
      [0x8b1f, "\x1f\x8b"],
    ] as const) {
      const header = Buffer.from(JSON.stringify({ __metadata__: { made: "by hand" } }).padEnd(length));
      const lengthOfIt = Buffer.alloc(8);
      lengthOfIt.writeBigUInt64LE(BigInt(length));
      const bytes = Buffer.concat([lengthOfIt, header]);
      expect(bytes.toString("latin1").startsWith(beginning)).to.equal(true);
      await writeFile(file("header"), bytes);
      const error = await rejectsLater("CHECKPOINT", make().load(file("header")));
      expect(error.message).to.not.include("the file is");
    }
  });

  it("is told from what a file begins with", async () => {
    const files: [string, Buffer, string][] = [
      ["array.npy", Buffer.from("\x93NUMPY\x01\x00v\x00{'descr'", "latin1"), "a NumPy array"],
      ["model.gguf", Buffer.from("GGUF\x03\x00\x00\x00\x00\x00\x00\x00", "latin1"), "a GGUF model"],
      ["state.pkl", Buffer.from("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}.", "latin1"), "a bare pickle of Python"],
      ["state.gz", gzipSync(Buffer.alloc(40)), "a compressed file: unpack it first"],
      ["state.bz2", Buffer.from("BZh91AY&SY\x00\x00\x00\x00", "latin1"), "a compressed file: unpack it first"],
      ["state.7z", Buffer.from("7z\xbc\xaf\x27\x1c\x00\x04", "latin1"), "a compressed file: unpack it first"],
      ["state.xz", Buffer.from("\xfd7zXZ\x00\x00\x04", "latin1"), "a compressed file: unpack it first"],
      ["state.zst", Buffer.from("\x28\xb5\x2f\xfd\x04\x58\x29\x00", "latin1"), "a compressed file: unpack it first"],
      ["state.mat", Buffer.from("MATLAB 5.0 MAT-file, Platform: GLNXA64", "latin1"), "a MATLAB file"],
      ["table.parquet", Buffer.from("PAR1\x15\x04\x15\x20\x15", "latin1"), "a Parquet table"],
      ["table.arrow", Buffer.from("ARROW1\x00\x00\xff\xff\xff\xff", "latin1"), "an Arrow table"],
      ["plot.png", Buffer.from("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "latin1"), "a PNG image"],
      ["photo.jpg", Buffer.from("\xff\xd8\xff\xe0\x00\x10JFIF\x00", "latin1"), "a JPEG image"],
      ["loss.gif", Buffer.from("GIF89a\x0a\x00\x0a\x00", "latin1"), "a GIF image"],
      ["paper.pdf", Buffer.from("%PDF-1.7\n%\xe2\xe3", "latin1"), "a PDF document"],
      ["zeros", Buffer.alloc(1000), "one that begins with zeros, as where data never reached the disk"],
      ["notes", Buffer.from("epoch,loss\n1,0.5\n"), "a text file"],
      ["short.pt", Buffer.from("hello"), "a text file"],
    ];
    for (const [name, bytes, kind] of files) {
      await writeFile(file(name), bytes);
      await rejectsLater("CHECKPOINT", make().load(file(name)), file(name), `the file is ${kind}`);
    }
    for (const bytes of [Buffer.from("hi\n"), Buffer.alloc(7)]) {
      await writeFile(file("few"), bytes);
      const problem = `few: no checkpoint, or one that was cut: ${bytes.length} bytes in all`;
      await rejectsLater("CHECKPOINT", make().load(file("few")), problem);
    }
    for (const json of ['{ "epoch": 3 }', '{ "weightsManifest": {} }', '{"model_state": [1, 2]}']) {
      await writeFile(file("some.json"), json);
      const problem =
        "JSON that is neither a model.json of TensorFlow.js, which has this array, nor an index of shards";
      await rejectsLater("CHECKPOINT", make().load(file("some.json")), `some.json "weightsManifest": ${problem}`);
    }
    const data = deflateRawSync(Buffer.alloc(10));
    await writeZip(file("arrays.npz"), [{ name: "w.npy", data }], {});
    await rejectsLater("CHECKPOINT", make().load(file("arrays.npz")), "the file is a NumPy archive");
  });
});
