import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { CheckpointError } from "../../lib/index.js";
import { pieceBytes } from "../../lib/state/byte-sink.js";
import { memoryTensor } from "../../lib/state/optimizer-state.js";
import { formatHeader, largestHeader } from "../../lib/state/safetensors-header.js";
import { openSafetensors } from "../../lib/state/safetensors-reader.js";
import { writeSafetensors } from "../../lib/state/safetensors-writer.js";
import { temporaryFolder } from "../temporary.js";

describe("safetensors files", () => {
  const file = temporaryFolder();
  const bytes = (length: number): Uint8Array => Buffer.alloc(length, "a pattern of 29 bytes, a prime");
  const header = (json: string, data = 0) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
    return Buffer.concat([length, Buffer.from(json), Buffer.alloc(data)]);
  };
  const fails = async (content: Uint8Array, problem: string, place: { offset?: number; key?: string }) => {
    await writeFile(file("bad"), content);
    const error = await openSafetensors(file("bad")).then(
      () => expect.fail(`opened, expected ${problem}`),
      (e) => e,
    );
    expect(error).to.be.instanceOf(CheckpointError).with.property("code", "CHECKPOINT");
    expect(error.message).to.contain(problem);
    expect({ offset: error.offset, key: error.key }).to.deep.equal({ offset: undefined, key: undefined, ...place });
  };

  it("hold what was written, larger elements first, their data at a multiple of 64", async () => {
    const tensors = [
      memoryTensor("small", "U8", [3], bytes(3)),
      memoryTensor("__proto__", "F32", [2, 2], bytes(16)),
      memoryTensor("größe", "I64", [], bytes(8)),
      memoryTensor("none", "F32", [0, 7], bytes(0)),
    ];
    await writeSafetensors(file("a"), tensors, () => ({ note: "é" }));
    const { metadata, tensors: read, close } = await openSafetensors(file("a"));
    expect({ ...metadata }).to.deep.equal({ note: "é" });
    expect(read.map(({ name }) => name)).to.have.members(["größe", "__proto__", "none", "small"]);
    expect(read[0]?.name).to.equal("größe");
    expect((read[0]?.offset ?? 1) % 64).to.equal(0);
    for (const { name, byteLength, read: readInto } of read) {
      const into = new Uint8Array(byteLength);
      await readInto(0, into);
      expect(into, name).to.deep.equal(tensors.find((tensor) => tensor.name === name)?.memory);
    }
    await close();
  });

  it("hold tensors larger than a piece whatever stands before them", async () => {
    const sizes = [pieceBytes + 5, 3, pieceBytes, 2 * pieceBytes + 1, 0, pieceBytes - 3];
    const data = sizes.map(bytes);
    const inMemory = data.map((array, i) => memoryTensor(String(i), "U8", [array.length], array));
    const streamed = inMemory.map(({ memory: _, ...tensor }) => ({ ...tensor, name: `streamed ${tensor.name}` }));
    await writeSafetensors(file("large"), [...inMemory, ...streamed], () => ({}));
    const content = await readFile(file("large"));
    expect(
      content
        .subarray(-2 * data.reduce((sum, { length }) => sum + length, 0))
        .equals(Buffer.concat([...data, ...data])),
    ).to.equal(true);
  });

  it("are rejected when the header's length is wrong", async () => {
    await fails(Buffer.alloc(5), "too short", { offset: 5 });
    await fails(Buffer.concat([Buffer.alloc(7), Buffer.from([0x80])]), "9223372036854775808 bytes", { offset: 0 });
    await fails(header("{}").subarray(0, 9), "a header of 2 bytes in a file of 9", { offset: 0 });
    const long = Buffer.alloc(8);
    long.writeBigUInt64LE(BigInt(largestHeader + 1));
    await fails(long, "are allowed", { offset: 0 });
    await fails(header(" {}"), "no safetensors header", { offset: 8 });
  });

  it("are rejected when the header is no such JSON", async () => {
    await fails(header('{"a":1,"a":2}'), "occurs twice", { offset: 15 });
    await fails(Buffer.concat([header("{}").subarray(0, 8), Buffer.from([0x7b, 0xff])]), "not UTF-8", { offset: 8 });
    await fails(header('{"a":{"dtype":"F32","shape":[1]}}'), "expected { dtype", { key: "a" });
    await fails(header('{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}', 4), '"F31" is unknown', { key: "a" });
    await fails(header('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4), "the shape is", { key: "a" });
    await fails(header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4.5]}}', 4), "data_offsets", { key: "a" });
    await fails(header('{"__metadata__":{"a":1}}'), "expected strings", { key: "__metadata__" });
  });

  it("are rejected when tensors do not fill the data exactly", async () => {
    const tensor = (name: string, begin: number, end: number, shape = [(end - begin) / 4]) =>
      `"${name}":{"dtype":"F32","shape":[${shape.join()}],"data_offsets":[${begin},${end}]}`;
    await fails(header(`{${tensor("a", 0, 4)},${tensor("b", 8, 12)}}`, 12), "overlap or leave a hole", { key: "b" });
    await fails(header(`{${tensor("a", 0, 8)},${tensor("b", 4, 12)}}`, 12), "overlap or leave a hole", { key: "b" });
    await fails(header(`{${tensor("a", 0, 8, [3])}}`, 8), "8 bytes of data where its shape and type have 12", {
      key: "a",
    });
    const json = `{${tensor("a", 0, 8)}}`;
    await fails(header(json, 4), "the tensors end at byte", { offset: 8 + json.length + 8 });
    await fails(header(json, 12), "the tensors end at byte", { offset: 8 + json.length + 8 });
    const huge = '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}';
    await fails(header(huge), "more elements than can be counted", { key: "a" });
  });

  it("have a header whose place for data is aligned whatever its length", () => {
    for (let length = 1; length < 130; length += 1) {
      const made = formatHeader([{ name: "n".repeat(length), dtype: "U8", shape: [1], byteLength: 1 }], {});
      expect(made.length % 64).to.equal(0);
      expect(made.readBigUInt64LE(0)).to.equal(BigInt(made.length - 8));
    }
  });
});
