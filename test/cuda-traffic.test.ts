import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { byteModel } from "../lib/cli/bench/byte-model.js";
import { models } from "../lib/cli/models.js";
import { type AdamWOptions, devices } from "../lib/index.js";
import { temporaryFolder } from "./temporary.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const library = fileURLToPath(new URL("../lib", import.meta.url));

/** Takes steps and as many streaming passes with memory of the GPU. */
const program = `
  const { AdamW, openDevice } = await import("${library}/index.ts");
  const { coreOf } = await import("${library}/adamw.ts");
  const [options, count, lengths] = process.argv.slice(1).map((text) => JSON.parse(text));
  const device = openDevice("cuda");
  const make = (length) => device.allocate("float32", length).fill(1);
  const optimizer = new AdamW(options).build(
    lengths.map((length, i) => ({ name: \`p\${i}\`, value: make(length), gradient: make(length) })),
  );
  for (let i = 0; i < count; i += 1) {
    optimizer.step();
    optimizer.synchronize();
    optimizer[coreOf].lifecycle.idle.streamPass();
  }
  optimizer.dispose();
`;

const sectorBytes = 32;

/** Bytes per parameter by kernel. */
type Traffic = Map<string, number>;

/** One tensor, and those of GPT-2 divided by 64, with odd remainders. */
const gpt2 = Array.from(models["gpt2-124m"]!(), ({ shape }) => shape.reduce((product, size) => product * size, 1));
const cases: Readonly<Record<string, readonly number[]>> = {
  "one tensor": [100_003],
  "148 tensors": gpt2.map((length, i) => Math.ceil(length / 64) + (i % 4)),
};

describe("The memory traffic of a GPU", () => {
  const file = temporaryFolder();

  /** Bytes per parameter that each kernel moved, in whole sectors, as the emulator of the runtime counts them. */
  function traffic(options: AdamWOptions, count: number, lengths: readonly number[]): Traffic {
    const statistics = file("statistics");
    const words = [options, count, lengths].map((word) => JSON.stringify(word));
    const elements = lengths.reduce((sum, length) => sum + length, 0);
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import=tsx", "--input-type=module", "--eval", program, ...words],
      { env: { ...process.env, CUEMU_STATS: statistics }, encoding: "utf8" },
    );
    expect(status, stderr).to.equal(0);
    const text = existsSync(statistics) ? readFileSync(statistics, "utf8") : "";
    const kernels = text.split(/^(?=_ZN)/m).slice(1);
    return new Map(
      kernels.map((kernel) => {
        const accesses = kernel.matchAll(/global (?:read|write) +requests +(\d+) +sectors\/request +([\d.]+)/g);
        const sectors = Array.from(accesses, ([, requests, each]) => Number(requests) * Number(each));
        const bytes = sectors.reduce((sum, some) => sum + some, 0) * sectorBytes;
        return [/4cuda\d+([a-z_]+)/.exec(kernel)?.[1] ?? "", bytes / elements];
      }),
    );
  }

  before(function () {
    const reason = cuda.available ? "the runtime counts no bytes (an emulator does)" : cuda.reason;
    if (cuda.available && traffic({}, 1, [1]).size > 0) return;
    console.log(`memory traffic: skipped: ${reason}`);
    this.skip();
  });

  const sets: [what: string, options: AdamWOptions][] = [
    ["a plain step", {}],
    ["the whole pipeline", { globalClipnorm: 1, useEma: true, zeroGradients: true, lossScaleFactor: 16 }],
    ["every stream", { clipnorm: 1, amsgrad: true, useEma: true }],
  ];
  const tests = sets.flatMap(([what, options]) =>
    Object.entries(cases).map(([tensors, lengths]) => ({ what, options, tensors, lengths })),
  );
  for (const { what, options, tensors, lengths } of tests) {
    it(`is the byte model's for ${what} of ${tensors}, in a step as in a streaming pass`, () => {
      // In the first step the average only takes the parameter.
      const [one, two] = [1, 2].map((count) => traffic(options, count, lengths)) as [Traffic, Traffic];
      const sum = (...names: string[]) =>
        names.reduce((bytes, name) => bytes + (two.get(name) ?? 0) - (one.get(name) ?? 0), 0);
      const { step, update } = byteModel(options);
      // The descriptions of chunks and rows come on top; each warp reads them.
      expect(sum("norms", "update"), "step").to.be.within(step, 1.03 * step);
      expect(sum("read_all", "stream_all"), "streaming pass").to.be.within(update, 1.03 * update);
    });
  }
});
