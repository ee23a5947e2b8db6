import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { AtomicFile } from "../../lib/state/atomic-file.js";
import { ByteFile, readBytes } from "../../lib/state/byte-file.js";
import { ByteSink, pieceBytes } from "../../lib/state/byte-sink.js";
import type { Tensor } from "../../lib/state/checkpoint.js";
import { bytesOf, memoryTensor } from "../../lib/state/optimizer-state.js";
import { PieceReader } from "../../lib/state/pieces.js";
import { formatHeader } from "../../lib/state/safetensors-header.js";
import { openSafetensors } from "../../lib/state/safetensors-reader.js";
import { temporaryFolder } from "../temporary.js";
import { typescriptArgv } from "../typescript.js";

const mebibyte = 2 ** 20;

/** The tensors one after the other, those without memory as a hole of zeros that takes no place on the disk. */
async function writeSparse(path: string, tensors: readonly Omit<Tensor, "read">[]): Promise<void> {
  const header = formatHeader(tensors, {});
  const file = await open(path, "w");
  await file.write(header, 0, header.length, 0);
  let position = header.length;
  for (const { memory, byteLength } of tensors) {
    if (memory) await file.write(memory, 0, memory.length, position);
    position += byteLength;
  }
  await file.truncate(position);
  await file.close();
}

describe("state beyond 2 GiB", () => {
  const file = temporaryFolder();

  before(function () {
    if (process.platform !== "win32") return;
    console.log("      skipped: a file with a hole takes its whole size here");
    this.skip();
  });

  it("is read where it is, beyond 4 GiB", async () => {
    const numbers = Float32Array.of(1, -2, 3.5);
    const squares = Float32Array.of(4, 5, 6);
    await writeSparse(file("far"), [
      memoryTensor("w.step", "I64", [], bytesOf(BigInt64Array.of(7n))),
      { name: "huge.exp_avg", dtype: "F32", shape: [3, 2 ** 29], byteLength: 3 * 2 ** 31 },
      memoryTensor("w.exp_avg", "F32", [3], bytesOf(numbers)),
      { name: "huge.exp_avg_sq", dtype: "F32", shape: [2 ** 30], byteLength: 2 ** 32 },
      memoryTensor("w.exp_avg_sq", "F32", [3], bytesOf(squares)),
    ]);
    const optimizer = new AdamW().build([{ name: "w", value: new Float32Array(3) }]);
    const { notLoaded } = await optimizer.load(file("far"), { mode: "partial" });
    expect(notLoaded.map(({ name }) => name)).to.deep.equal(["huge.exp_avg", "huge.exp_avg_sq"]);
    expect(optimizer.iterations).to.equal(7);
    expect(optimizer.variables.slice(2).map(({ value }) => value)).to.deep.equal([numbers, squares]);
  });

  it("is read in pieces, more than 2^31 elements too", async () => {
    const count = 2 ** 31 + 5;
    const end = Uint8Array.of(1, 2, 3, 4, 5);
    // Two tensors of the header, the hole and what is behind it, are read as one.
    await writeSparse(file("many"), [
      { name: "w.exp_avg", dtype: "U8", shape: [count], byteLength: count },
      memoryTensor("w.exp_avg_sq", "U8", [5], end),
    ]);
    const { tensors, close } = await openSafetensors(file("many"));
    const whole = { ...(tensors[0] as Tensor), byteLength: count + end.length };
    const last = new Uint8Array(8);
    let read = 0;
    await new PieceReader().each(whole, (piece, start) => {
      expect(start).to.equal(read);
      read += piece.length;
      if (read === whole.byteLength) last.set(piece.subarray(-8));
    });
    await close();
    expect(read).to.equal(count + 5);
    expect([...last]).to.deep.equal([0, 0, 0, ...end]);
  });

  it("is written where it belongs, beyond 4 GiB", async () => {
    const start = 2 ** 32 + 24;
    const memory = Buffer.alloc(pieceBytes + 100, "a pattern of 29 bytes, a prime");
    await AtomicFile.write(file("end"), async (target) => {
      const sink = new ByteSink(target, start);
      await sink.append(memoryTensor("small", "U8", [10], memory.subarray(0, 10)), () => {});
      await sink.append(memoryTensor("large", "U8", [memory.length], memory), () => {});
      expect(sink.position).to.equal(start + 10 + memory.length);
      await sink.flush();
    });
    const source = await ByteFile.open(file("end"));
    expect(source.size).to.equal(start + 10 + memory.length);
    const read = await readBytes(source, start, memory.length + 10);
    await source.close();
    expect(read.equals(Buffer.concat([memory.subarray(0, 10), memory]))).to.equal(true);
  });
});

describe("saving and loading", () => {
  const file = temporaryFolder();
  const child = fileURLToPath(new URL("./large-child.ts", import.meta.url));

  async function run(name: string, elements: number, parameters = 1): Promise<void> {
    const argv = [...typescriptArgv, child, file(name), String(elements), String(parameters)];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    const { bytes, save, load, returns, differs } = JSON.parse(stdout);
    expect(bytes).to.be.above(8 * elements);
    expect({ returns, differs }).to.deep.equal({ returns: true, differs: true });
    expect(save, "bytes of memory for saving").to.be.at.most(64 * mebibyte);
    expect(load, "bytes of memory for loading").to.be.at.most(64 * mebibyte);
  }

  it("take no more in an archive of 256 parameters", () => run("many.pt", 2 ** 25, 256));

  for (const name of ["state.safetensors", "state.pt", "state.json"]) {
    it(`take 64 MiB of memory at most beside 256 MiB of state: ${name}`, () => run(name, 2 ** 25));

    // Slots and files of more than 2^31 and 2^32 bytes. About 9 GB of memory and 5 GB of disk for each.
    it(`take no more for slots of 2.2 GB: ${name}`, async function () {
      if (process.env.FUSED_ADAMW_LARGE !== "1") {
        console.log("      skipped: FUSED_ADAMW_LARGE=1 runs it with 9 GB of memory and 5 GB of disk");
        this.skip();
      }
      this.timeout(600_000);
      await run(name, 545_000_000);
    });
  }

  // 4095 and 4097: the last block and the last chunk are parts.
  it("take no more where the state is transposed", async () => {
    const transposed = fileURLToPath(new URL("./transposed-child.ts", import.meta.url));
    const argv = [...typescriptArgv, transposed, file("transposed.pt"), "4095", "4097"];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    const { load, wrong } = JSON.parse(stdout);
    expect(wrong, "elements out of their place").to.equal(0);
    expect(load, "bytes of memory for loading").to.be.at.most(64 * mebibyte);
  });
});
