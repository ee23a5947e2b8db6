/** What a step on a GPU asks of CUDA's runtime, counted call by call on the emulator. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { devices } from "../lib/index.js";
import { temporaryFolder } from "./temporary.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const beside = (name: string) => fileURLToPath(new URL(`workers/${name}`, import.meta.url));
const steps = 4;
const tensors = 148;

describe("A step of 148 tensors on a GPU", () => {
  const file = temporaryFolder();

  before(function () {
    if (!cuda.available || !cuda.model.includes("emulator")) {
      console.log("calls of a step: skipped: an emulator counts them");
      this.skip();
    }
    const { status } = spawnSync("cc", ["-shared", "-fPIC", beside("copies.c"), "-o", file("copies.so"), "-ldl"]);
    if (status === 0) return;
    console.log("calls of a step: skipped: no C compiler (cc)");
    this.skip();
  });

  /** How often each call was made between the marks, and how large the copies were. */
  function count(mode: string): { calls: Record<string, number>; copies: number[] } {
    const env = { ...process.env, CUEMU_TRACE: "1", LD_PRELOAD: file("copies.so") };
    const { status, stdout, stderr } = spawnSync(process.execPath, [beside("cuda-calls.mjs"), mode], {
      env,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    expect(status, stderr.slice(-1000)).to.equal(0);
    expect(stdout).to.equal(`${tensors} tensors, 7 iterations\n`);
    const between = stderr.split("call cudaStreamCreateWithFlags\n").at(-2) as string;
    const calls: Record<string, number> = {};
    for (const [, call] of between.matchAll(/call (cuda\w+)/g)) calls[call!] = (calls[call!] ?? 0) + 1;
    // These change nothing and wait for nothing; how often an event is looked at depends on when.
    delete calls.cudaGetDevice;
    delete calls.cudaEventQuery;
    return { calls, copies: Array.from(between.matchAll(/^copies (\d+)$/gm), ([, bytes]) => Number(bytes)) };
  }

  it("with bound gradients is three launches and two small copies; nothing is allocated or waited for", () => {
    const { calls, copies } = count("bound");
    const expected = { cudaLaunchKernel: 3 * steps, cudaMemcpyAsync: 2 * steps, cudaEventRecord: steps };
    expect(calls).to.deep.equal(expected);
    expect(copies).to.have.lengthOf(2 * steps);
    expect(Math.max(...copies)).to.be.at.most(256);
  });

  it("with gradients that are passed copies their table once, and that is all", () => {
    const { calls, copies } = count("passed");
    const expected = { cudaLaunchKernel: 3 * steps, cudaMemcpyAsync: 3 * steps, cudaEventRecord: steps };
    expect(calls).to.deep.equal(expected);
    expect(copies).to.have.lengthOf(3 * steps);
    expect(copies.filter((bytes) => bytes > 256)).to.deep.equal(new Array(steps).fill(8 * tensors));
  });

  it("from a graph is one launch", () => {
    const { calls, copies } = count("graph");
    const expected = { cudaGraphLaunch: steps, cudaMemcpyAsync: 2 * steps, cudaEventRecord: steps };
    expect(calls).to.deep.equal(expected);
    expect(copies).to.have.lengthOf(2 * steps);
    expect(Math.max(...copies)).to.be.at.most(256);
  });
});
