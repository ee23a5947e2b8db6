import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { byteModel } from "../lib/cli/bench/byte-model.js";
import { type AdamWOptions, devices } from "../lib/index.js";
import { temporaryFolder } from "./state/temporary.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const library = fileURLToPath(new URL("../lib", import.meta.url));
const elements = 100_003;

/** Takes steps and as many streaming passes with memory of the GPU. */
const program = `
  const { AdamW, openDevice } = await import("${library}/index.ts");
  const { coreOf } = await import("${library}/adamw.ts");
  const [options, count] = process.argv.slice(1).map((text) => JSON.parse(text));
  const device = openDevice("cuda");
  const [value, gradient] = [1, 1].map((x) => device.allocate("float32", ${elements}).fill(x));
  const optimizer = new AdamW(options).build([{ name: "w", value, gradient }]);
  for (let i = 0; i < count; i += 1) {
    optimizer.step();
    optimizer.synchronize();
    optimizer[coreOf].lifecycle.idle.streamPass();
  }
  optimizer.dispose();
`;

const sectorBytes = 32;

describe("The memory traffic of a GPU", () => {
  const file = temporaryFolder();

  /** Bytes per parameter that each kernel moved, in whole sectors, as the emulator of the runtime counts them. */
  function traffic(options: AdamWOptions, count: number): Map<string, number> {
    const statistics = file("statistics");
    const words = [JSON.stringify(options), JSON.stringify(count)];
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
    if (cuda.available && traffic({}, 1).size > 0) return;
    console.log(`memory traffic: skipped: ${reason}`);
    this.skip();
  });

  const sets: [what: string, options: AdamWOptions][] = [
    ["a plain step", {}],
    ["the whole pipeline", { globalClipnorm: 1, useEma: true, zeroGradients: true, lossScaleFactor: 16 }],
    ["every stream", { clipnorm: 1, amsgrad: true, useEma: true }],
  ];
  for (const [what, options] of sets) {
    it(`is the byte model's for ${what}, in a step as in a streaming pass`, () => {
      // In the first step the average only takes the parameter.
      const [one, two] = [traffic(options, 1), traffic(options, 2)];
      const sum = (...names: string[]) =>
        names.reduce((bytes, name) => bytes + (two.get(name) ?? 0) - (one.get(name) ?? 0), 0);
      const { step, update } = byteModel(options);
      // The descriptions of chunks and rows come on top.
      expect(sum("norms", "update"), "step").to.be.within(step, step + 1);
      expect(sum("read_all", "stream_all"), "streaming pass").to.be.within(update, update + 1);
    });
  }
});
