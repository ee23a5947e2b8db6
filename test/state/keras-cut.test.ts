import { copyFile, readFile, writeFile } from "node:fs/promises";
import { ByteMemory } from "../../lib/state/byte-file.js";
import { checkH5Length } from "../../lib/state/h5-length.js";
import { temporaryFolder } from "../temporary.js";
import { fixture, make } from "./keras-cases.js";
import { rejectsLater } from "./rejects-later.js";

describe("files of Keras that hold less than they say, or something else", function () {
  this.timeout(300_000);
  const file = temporaryFolder();

  it("were cut, by however many bytes", async () => {
    const whole = await readFile(fixture("plain.weights.h5"));
    const { length } = whole;
    for (const [size, problem] of [
      [length - 1, `truncated: ${length - 1} of ${length} bytes`],
      [Math.floor(length / 2), `truncated: ${Math.floor(length / 2)} of ${length} bytes`],
      [48, `truncated: 48 of ${length} bytes`],
      [47, "truncated: 47 of at least 48 bytes"],
      [8, "truncated: 8 of at least 48 bytes"],
      [4, "truncated: 4 of at least 48 bytes"],
    ] as const) {
      await writeFile(file("cut.weights.h5"), whole.subarray(0, size));
      const { optimizer } = make("plain");
      for (const act of ["load", "save"] as const) {
        await rejectsLater(
          "CHECKPOINT",
          optimizer[act](file("cut.weights.h5")),
          `cut.weights.h5 at byte ${size}: ${problem}`,
        );
      }
    }
  });

  it("were cut, whatever the version of HDF5's first block", async () => {
    const signature = [...Buffer.from("\x89HDF\r\n\x1a\n", "latin1")];
    const addresses = (bytes: number, end: number) => [0, 7, end].flatMap((n) => [n, ...new Array(bytes - 1).fill(0)]);
    const blocks: [name: string, bytes: number[]][] = [
      ["1", [...signature, 1, 0, 0, 0, 0, 4, 8, 0, ...new Array(12).fill(0), ...addresses(4, 200)]],
      ["2", [...signature, 2, 8, 8, 0, ...addresses(8, 200)]],
      ["3", [...signature, 3, 8, 8, 1, ...addresses(8, 200)]],
    ];
    for (const [version, bytes] of blocks) {
      const check = (length: number) =>
        checkH5Length(new ByteMemory(version, Buffer.concat([Buffer.from(bytes), Buffer.alloc(length)], length)));
      await rejectsLater("CHECKPOINT", check(199), `${version} at byte 199: truncated: 199 of 200 bytes`);
      // Without the signature the same bytes are no such block.
      await checkH5Length(new ByteMemory(version, Buffer.concat([Buffer.alloc(8), Buffer.from(bytes.slice(8))])));
      await check(200);
    }
  });

  it("are of the legacy format", async () => {
    const problem = "Keras' legacy HDF5 model format is not supported: save as .keras or .weights.h5";
    await copyFile(fixture("legacy.h5"), file("legacy.h5"));
    await rejectsLater("CHECKPOINT", make("plain").optimizer.load(fixture("legacy.h5")), problem);
    await rejectsLater("CHECKPOINT", make("plain").optimizer.save(file("legacy.h5")), problem);
  });
});
