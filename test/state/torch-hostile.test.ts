import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { CheckpointError } from "../../lib/index.js";
import { ByteMemory } from "../../lib/state/byte-file.js";
import { openCheckpoint } from "../../lib/state/formats.js";
import { PickleApply, PickleName, PickleTuple, writePickle } from "../../lib/state/pickle-writer.js";
import { rejectsLater } from "./rejects-later.js";
import { archive, openTorch } from "./torch-archive.js";

describe("hostile PyTorch files", () => {
  const fails = async (source: ByteMemory, ...parts: string[]) => {
    const error = await rejectsLater("CHECKPOINT", openTorch(source), ...parts);
    expect(error).to.be.instanceOf(CheckpointError);
  };

  it("call nothing", async () => {
    const call = new PickleApply(new PickleName("posix", "system"), "echo hacked");
    await fails(await archive(writePickle(call)), "asks for posix.system", "byte 2 of the pickle");
    const known = new PickleApply(new PickleName("torchao.optim", "AdamW8bit"), 1);
    await fails(await archive(writePickle(known)), "torchao's low-bit optimizers is not supported");
    await fails(await archive(Buffer.from([0x80, 2, 0x7d, 0x4e, 0x81, 0x2e])), "operation 0x81");
    await fails(await archive(Buffer.from([0x80, 2, 0x5d, 0x4e, 0x62, 0x2e])), "attributes for something else");
  });

  it("of other libraries are named", async () => {
    const state = new Map<string, unknown>([
      ["state", new Map([[0, new Map([["absmax1", 1]])]])],
      [
        "param_groups",
        [
          new Map<string, unknown>([
            ["params", [0]],
            ["param_names", ["a"]],
          ]),
        ],
      ],
    ]);
    await fails(await archive(writePickle(state)), "bitsandbytes' 8-bit optimizers is not supported");
    await fails(await archive(writePickle(new Map([["base_optimizer_state", 1]]))), "DeepSpeed's ZeRO");
    await fails(await archive(writePickle(new Map([["epoch", 1]]))), "it has epoch");
  });

  it("with damaged pickles are rejected", async () => {
    await fails(await archive(Buffer.from([0x80, 2, 0x58, 0xff, 0xff, 0xff, 0x7f])), "ends in an operation");
    await fails(await archive(Buffer.from([0x80, 9])), "protocol 9");
    await fails(await archive(Buffer.concat([Buffer.from([0x80, 2]), Buffer.alloc(2000, "(")])), "nested deeper");
    await fails(await archive(Buffer.from([0x80, 2, 0x2e])), "too few values");
    await fails(await archive(writePickle(new PickleTuple())), "it has no keys");
    // An integer of 200 bytes.
    await fails(await archive(Buffer.from([0x80, 2, 0x8a, 200, ...Array(200).fill(0x7f), 0x2e])), "it has no keys");
  });

  it("with wrong archives are rejected", async () => {
    await fails(new ByteMemory("none.pt", Buffer.from("PK\x03\x04 and no more")), "no valid zip archive");
    const empty = writePickle(new Map());
    await fails(
      await archive(empty, { "../../etc/passwd": Buffer.from("x") }).catch(() => traversal()),
      "no valid zip archive",
    );
    await fails(await archive(Buffer.alloc(2 ** 26 + 1)), "at most 67108864 are allowed");
    await fails(await archive(empty, {}, true), "data.pkl", "packed");
    const bytes = await archive(empty);
    const copy = Buffer.alloc(bytes.size);
    await bytes.read(0, copy);
    copy[copy.indexOf(empty)] = 0x81;
    await fails(new ByteMemory("flipped.pt", copy), "other bytes than the archive promises");
  });

  /** yazl writes no such name, so one of the same length is replaced. */
  async function traversal(): Promise<ByteMemory> {
    const source = await archive(writePickle(new Map()), { "aa/aa/etc/passwd": Buffer.from("x") });
    const bytes = Buffer.alloc(source.size);
    await source.read(0, bytes);
    for (let at = bytes.indexOf("aa/aa/"); at >= 0; at = bytes.indexOf("aa/aa/")) bytes.write("../../", at);
    return new ByteMemory("traversal.pt", bytes);
  }

  /** A tuple of so many lists, each twice the one before. */
  const laughs = (levels: number) => [
    Buffer.from([0x28, 0x5d, 0x71, 0]),
    ...Array.from({ length: levels }, (_, i) => Buffer.from([0x5d, 0x28, 0x68, i, 0x68, i, 0x65, 0x71, i + 1])),
    Buffer.from("t"),
  ];
  const text = (value: string) => Buffer.concat([Buffer.from([0x8c, value.length]), Buffer.from(value)]);
  const pickle = (...parts: Buffer[]) => archive(Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from(".")]));
  /** A state_dict of a state and groups. */
  const stateDict = (state: readonly Buffer[], groups: readonly Buffer[]) =>
    pickle(Buffer.from("}("), text("state"), ...state, text("param_groups"), ...groups, Buffer.from("u"));
  const none = [Buffer.from("}")];

  it("with more objects, values or levels than PyTorch's are rejected", async () => {
    await fails(await archive(Buffer.concat([Buffer.from([0x80, 2]), Buffer.alloc(2 ** 20, "]")])), "more objects");
    await fails(
      await archive(Buffer.concat([Buffer.from([0x80, 2]), Buffer.alloc(2 ** 25, "N")])),
      "more than 16777216",
    );
    const nested = Buffer.concat([Buffer.from("]"), Buffer.alloc(900, 0x85)]);
    await fails(await pickle(nested, Buffer.from([0x4e, 0x93])), "whose name is no text");
    await fails(await pickle(nested), "it has no keys");
    await fails(await pickle(Buffer.from("Nr\xff\xff\xff\x7f", "latin1")), "out of order");
  });

  it("that share what they hold take no longer than what they are", async () => {
    const levels = 60;
    await fails(await pickle(...laughs(levels), Buffer.from([0x68, levels, 0x93])), "whose name is no text");
    await fails(await pickle(Buffer.from("}"), ...laughs(levels), Buffer.from("Ns")), "it has a object");
    const decay = [Buffer.from("](}("), text("params"), Buffer.from("]"), text("weight_decay"), ...laughs(levels)];
    const { optimizer } = await openTorch(await stateDict(none, [...decay, Buffer.from("ue")]), []);
    expect(JSON.stringify(optimizer)).to.have.length.below(1000);
  });

  it("that name a group, a parameter or a state twice are rejected", async () => {
    const count = 20_000;
    const params = [text("params"), Buffer.from("]("), Buffer.alloc(2 * count, "K\0"), Buffer.from("e")];
    const group = [Buffer.from("](}("), ...params, Buffer.from("uq\0")];
    const again = Buffer.alloc(2 * count, "h\0");
    await fails(await stateDict(none, [...group, again, Buffer.from("e")]), "it has the parameter 0 twice");
    const shared = [Buffer.from("}(K\0}q\0"), text("step"), Buffer.from("K\x01sK\x01h\0u")];
    const two = [Buffer.from("](}"), text("params"), Buffer.from("](K\0K\x01ese")];
    const source = await stateDict(shared, two);
    await rejectsLater("CHECKPOINT", openTorch(source, ["a", "b"]), "the state of another one too");
    await rejectsLater("CHECKPOINT", openTorch(source, ["a", "a"]), "two parameters would have this name");
  });

  it("that surprise a reader are an error with a code all the same", async () => {
    const names = new Proxy([], {
      get() {
        throw new TypeError("a surprise");
      },
    });
    const path = fileURLToPath(new URL("torch/unnamed.pt", import.meta.url));
    const error = await rejectsLater("CHECKPOINT", openCheckpoint(path, { names }), "cannot be read: a surprise");
    expect((error as Error).cause).to.be.instanceOf(TypeError);
  });
});
