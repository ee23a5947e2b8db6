/** The checksums of checkpoints: Node's CRC-32, whoever computes it, and in whatever parts. */

import { open, readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import { AdamW } from "../../lib/index.js";
import { native } from "../../lib/native.js";
import { Checksum } from "../../lib/state/checksum.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

describe("checksums", () => {
  it("of the addon are Node's, for every place, length and checksum before", async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 700 });
    await fc.assert(
      fc.asyncProperty(bytes, fc.nat(64), fc.nat(0xffffffff), async (array, offset, before) => {
        const part = array.subarray(Math.min(offset, array.length - 1));
        expect(await native.checksum(part, before)).to.equal(crc32(part, before));
      }),
      { numRuns: 500 },
    );
  });

  it("are no others for nothing more, which Node's are", async () => {
    const checksum = new Checksum();
    await checksum.update(Uint8Array.of(1, 2, 3));
    const { text } = checksum;
    await checksum.update(new Uint8Array(0));
    expect(checksum.text).to.equal(text);
    expect(await native.checksum(new Uint8Array(0), 5)).to.equal(5);
  });

  it("are the same in any parts, brief and long", async () => {
    const bytes = Uint8Array.from({ length: 500_000 }, (_, i) => (i * 31) ^ (i >> 7));
    for (const length of [7, 65_535, 65_536, 200_000, 500_000]) {
      const checksum = new Checksum();
      for (let start = 0; start < bytes.length; start += length) {
        await checksum.update(bytes.subarray(start, start + length));
      }
      expect(Number.parseInt(checksum.text, 16)).to.equal(crc32(bytes));
    }
  });
});

describe("a tensor of many pieces", () => {
  const file = temporaryFolder();
  const length = 3_000_001;
  const make = () => new AdamW().build([{ name: "w", value: new Float32Array(length) }]);
  const gradient = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const slots = (optimizer: AdamW) => optimizer.variables.filter(({ value }) => value.length === length);

  for (const snapshot of ["copy", "stream"] as const) {
    it(`is saved from a ${snapshot} and loaded into the state itself`, async () => {
      const saved = make();
      saved.apply([gradient]);
      await saved.save(file(snapshot), { snapshot });
      const loaded = make();
      await loaded.load(file(snapshot));
      expect(slots(loaded).map(({ value }) => value)).to.deep.equal(slots(saved).map(({ value }) => value));
      saved.apply([gradient]);
      loaded.apply([gradient]);
      expect(slots(loaded).map(({ value }) => value)).to.deep.equal(slots(saved).map(({ value }) => value));
    });
  }

  it("is the same bytes from a copy and from a stream", async () => {
    const [copy, stream] = await Promise.all([readFile(file("copy")), readFile(file("stream"))]);
    expect(stream.subarray(-8 * length).equals(copy.subarray(-8 * length))).to.equal(true);
  });

  it("that is damaged in any of them is found, and the state is zeros again", async () => {
    const saved = make();
    saved.apply([gradient]);
    const { bytes } = await saved.save(file("damaged"));
    for (const place of [bytes - 8 * length, bytes - 6 * length, bytes - 4 * length, bytes - 1]) {
      const handle = await open(file("damaged"), "r+");
      const byte = Buffer.alloc(1);
      const flip = async () => {
        await handle.read(byte, 0, 1, place);
        await handle.write(Buffer.of((byte[0] as number) ^ 16), 0, 1, place);
      };
      await flip();
      const optimizer = make();
      await rejectsLater("CHECKPOINT", optimizer.load(file("damaged")), "checksum");
      for (const { value } of slots(optimizer)) expect(value.every((element) => element === 0)).to.equal(true);
      await flip();
      await handle.close();
      await optimizer.load(file("damaged"));
    }
  });
});
