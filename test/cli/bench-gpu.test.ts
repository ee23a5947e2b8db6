import { writeFileSync } from "node:fs";
import { expect } from "chai";
import type { BenchDocument } from "../../lib/cli/bench/result.js";
import { devices } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliJson } from "./cli.js";

const gpu = devices().find(({ kind }) => kind === "cuda")!;
const isEmulated = gpu.model.includes("emulator");
const short = ["--min-time", "0", "--repetitions", "2", "--warmup", "0", "--threads", "1"];

describe("bench on a GPU", () => {
  before(function () {
    if (gpu.available) return;
    console.log(`bench on a GPU: skipped: ${gpu.reason}`);
    this.skip();
  });

  it("measures checked steps and the streaming pass in the GPU's own memory, beside the CPU", async () => {
    const { rows, gpus } = await cliJson<BenchDocument>(
      ...["bench", "1e4", "3x100", "--devices", "cuda,cpu", "--check", "--pipeline", "full", ...short],
    );
    expect(rows.map(({ work, device }) => [work, device.split(":")[0]])).to.deep.equal([
      ["1e4", "cuda"],
      ["1e4", "cpu"],
      ["3x100", "cuda"],
      ["3x100", "cpu"],
    ]);
    for (const { device, model, samples, streamSamples, checked } of rows) {
      expect(model).to.equal(device === gpu.name ? gpu.model : "");
      for (const seconds of [...samples, ...streamSamples]) expect(seconds).to.be.above(0);
      expect([samples.length, streamSamples.length, checked]).to.deep.equal([2, 2, true]);
    }
    expect(gpus.map(({ device, model }) => [device, model])).to.deep.equal([[gpu.name, gpu.model]]);
    expect(gpus[0]!.memory).to.be.above(gpus[0]!.cache).and.at.least(gpus[0]!.freeMemory);
  });

  it("replays a captured step, empties the caches, and copies by the driver", async () => {
    const { rows } = await cliJson<BenchDocument>(
      ...["bench", "1e4", "--devices", "cuda", "--graph", "--flush-cache", "--compare", "copy", ...short],
      ...["--options", "gradientAccumulationSteps=2,globalClipnorm=1"],
    );
    expect(rows.map(({ name, device, graph }) => [name, device, graph])).to.deep.equal([
      ["fused-adamw", gpu.name, true],
      ["copy", gpu.name, false],
    ]);
  });

  it("says where a PyTorch without CUDA is absent", async () => {
    const args = ["bench", "1e3", "--devices", "cuda", "--compare", "torch", "--python", "/nowhere/python", ...short];
    const { status, stderr } = await cli(args);
    expect(status).to.equal(0);
    expect(stderr).to.contain(`warning: torch on ${gpu.name} is absent: PyTorch did not answer`);
  });

  it("refuses work that does not fit into the GPU's memory, with the part that does", async () => {
    const { status, stderr } = await cli(["bench", "1e12", "--devices", "cuda", ...short]);
    expect(status).to.equal(3);
    expect(stderr).to.match(/1e12 needs .*; what fits is 1e12@1\/\d+/);
  });

  it("labels an emulator, and nobody compares what it seemed to take", async function () {
    if (!isEmulated) {
      console.log(`an emulator: skipped: ${gpu.name} is ${gpu.model}`);
      this.skip();
    }
    const args = ["bench", "1e3", "--devices", "cuda", ...short];
    const { stdout, stderr } = await cli(args);
    expect(stdout).to.contain("- no measurement: an emulator").and.contain("cuda:0, emulator");
    expect(stderr).to.contain("warning: cuda:0: an emulator");
    const file = temporaryFolder()("run.json");
    writeFileSync(file, (await cli([...args, "--json"])).stdout);
    const { status, stderr: complaint } = await cli(["compare", file, file]);
    expect(status).to.equal(2);
    expect(complaint).to.contain("was not measured on a GPU");
  });

  it("doctor says what it is, and tells that it failed from wrong bits", async () => {
    expect((await cli(["doctor"])).stdout).to.contain(`${gpu.name}, ${gpu.model}, `);
    if (!isEmulated) return;
    const { status, stdout } = await cli(["doctor"], { CUEMU_MEMORY: "1M" });
    expect(status).to.equal(1);
    expect(stdout).to.match(/cuda:0 +failed .*out of memory/);
  });
});
