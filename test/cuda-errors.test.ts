/**
 * Every call of CUDA's runtime fails once, in a process of its own. Each time the error must be typed and name the
 * call, the parameters must all be those before a step or those after it, and nothing may be leaked. Only the emulator
 * can be told which call is to fail.
 */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { type DeviceInfo, devices } from "../lib/index.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const child = fileURLToPath(new URL("workers/cuda-failure.mjs", import.meta.url));

interface Outcome {
  phase: "open" | "allocate" | "build" | "capture" | "step" | "wait" | "done";
  code?: string;
  message?: string;
  /** After how many steps the parameters are what they are; null: they are not there, or after none. */
  state: number | null | string;
  /** What one more step did. */
  later?: string;
  disposed?: string;
}

/** What the training makes of that failure. Rejects when the process does not end with 0: something was leaked. */
async function train(mode: string, failure: string): Promise<Outcome> {
  const env = { ...process.env, CUEMU_FAIL: failure, CUEMU_LEAKS: "1" };
  const { stdout } = await promisify(execFile)(process.execPath, [child, mode], { env });
  return JSON.parse(stdout) as Outcome;
}

/** What a program among the workers prints, with that failure. */
async function run(worker: string, failure: string): Promise<string> {
  const program = fileURLToPath(new URL(`workers/${worker}`, import.meta.url));
  const env = { ...process.env, CUEMU_FAIL: failure };
  return (await promisify(execFile)(process.execPath, [program], { env })).stdout;
}

/** The end of a training whose calls are repeated when they fail. */
async function retry(failure: string): Promise<{ end: string; failed: number; message: string }> {
  return JSON.parse(await run("cuda-retry.mjs", failure));
}

// Each call, CUDA's error that it returns, our code for it, and which of its calls fail: the first, and every so many
// on.
const failures: readonly [call: string, error: number, code: string, every: number][] = [
  ["cudaStreamCreateWithFlags", 2, "OUT_OF_MEMORY", 1],
  ["cudaMallocAsync", 2, "OUT_OF_MEMORY", 2],
  ["cudaMallocHost", 2, "OUT_OF_MEMORY", 3],
  ["cudaEventCreateWithFlags", 2, "OUT_OF_MEMORY", 17],
  ["cudaMemsetAsync", 1, "CUDA", 5],
  ["cudaMemcpyAsync", 1, "CUDA", 5],
  ["cudaLaunchKernel", 719, "CUDA", 1],
  ["cudaEventRecord", 400, "CUDA", 2],
  ["cudaStreamSynchronize", 719, "CUDA", 9],
];

describe("A failing call of CUDA", () => {
  before(function () {
    if (cuda.available && cuda.model.includes("emulator")) return;
    console.log("failing calls of CUDA: skipped: only an emulator can be told to fail");
    this.skip();
  });

  function check({ phase, code, message, state, disposed }: Outcome, call: string, expected: string): void {
    expect(code).to.equal(expected);
    // A launch is reported by what was launched.
    expect(message).to.contain(call === "cudaLaunchKernel" ? "launch of" : call);
    if (phase === "step" || phase === "wait") expect(state).to.be.within(0, 4);
    expect(disposed).to.equal(undefined);
  }

  for (const [call, error, code, every] of failures) {
    it(`is an error with its name, and leaves nothing half done or behind: ${call} on a GPU`, async function () {
      this.timeout(240_000);
      let failed = 0;
      for (let nth = 1; ; nth += every) {
        const outcome = await train("steps", `${call}:${nth}:${error}`);
        if (outcome.phase === "done") break;
        check(outcome, call, code);
        failed += 1;
      }
      expect(failed).to.be.above(0);
    });
  }

  it("is the rejection of an Async step, and the error of a capture or a launch on a GPU", async function () {
    this.timeout(120_000);
    check(await train("async", "cudaLaunchKernel:5:98"), "cudaLaunchKernel", "CUDA");
    check(await train("async", "cudaEventSynchronize:2:719"), "cudaEventSynchronize", "CUDA");
    check(await train("graph", "cudaStreamBeginCapture:1:900"), "cudaStreamBeginCapture", "CUDA");
    check(await train("graph", "cudaGraphInstantiate:1:2"), "cudaGraphInstantiate", "OUT_OF_MEMORY");
    check(await train("graph", "cudaGraphLaunch:2:719"), "cudaGraphLaunch", "CUDA");
  });

  it("in an offloaded step leaves each array whole or the optimizer refusing, on a GPU", async function () {
    this.timeout(240_000);
    const codes = new Set<string | undefined>();
    for (let nth = 1; ; nth += 3) {
      const outcome = await train("offload", `cudaMemcpyAsync:${nth}:1`);
      if (outcome.phase === "done") break;
      expect([outcome.code, outcome.disposed]).to.deep.equal(["CUDA", undefined]);
      if (outcome.phase !== "step") continue;
      expect(outcome.later).to.be.oneOf(["CUDA", "stepped"]);
      if (outcome.later === "stepped") expect(outcome.state).to.be.within(0, 4);
      codes.add(outcome.later);
    }
    expect([...codes].sort()).to.deep.equal(["CUDA", "stepped"]);
  });

  it("in the midst of a step leaves an optimizer that refuses to go on, on a GPU", async () => {
    const outcome = await train("steps", "cudaLaunchKernel:6:98");
    expect([outcome.phase, outcome.state, outcome.later]).to.deep.equal(["step", 1, "CUDA"]);
  });

  for (const [call, error, every] of [
    ["cudaMemcpyAsync", 1, 3],
    ["cudaLaunchKernel", 98, 1],
    ["cudaEventRecord", 400, 5],
    ["cudaStreamSynchronize", 719, 7],
  ] as const) {
    it(`can be repeated, or the optimizer refuses until it has loaded: ${call} on a GPU`, async function () {
      this.timeout(240_000);
      const ends: Record<string, number> = {};
      for (let nth = 1; ; nth += every) {
        const { end, failed, message } = await retry(`${call}:${nth}:${error}`);
        expect(end, `call ${nth}: ${message}`).to.be.oneOf(["equal", "refused", "not built"]);
        ends[end] = (ends[end] ?? 0) + 1;
        if (end === "equal" && failed === 0) break;
      }
      // Something failed half-way, and something that could be repeated, or the sweep says nothing.
      expect(ends).to.include.keys("refused", "equal");
    });
  }

  it("in a rebind leaves the optimizer with the memory it had, on a GPU", async function () {
    this.timeout(120_000);
    const outcomes: string[] = [];
    for (let nth = 28; ; nth += 1) {
      // those before are of build()
      const outcome = JSON.parse(await run("cuda-rebind.mjs", `cudaEventCreateWithFlags:${nth}:2`));
      if (outcome.phase === "done") break;
      expect(outcome.code).to.equal("OUT_OF_MEMORY");
      if (outcome.phase === "rebind") outcomes.push(JSON.stringify(outcome.changed));
    }
    const unchanged = JSON.stringify({ old: true, other: false });
    expect(outcomes).to.deep.equal([unchanged, unchanged]); // the event of the gradient's stream, and of the value's
  });

  it("hides no other GPU, and a lost one says why, on a GPU", async () => {
    const script = `import { devices } from "${new URL("../dist/index.js", import.meta.url)}"; console.log(JSON.stringify(devices()))`;
    const list = async (failure: string, more: Record<string, string> = {}) => {
      const env = { ...process.env, CUEMU_DEVICES: "2", CUEMU_FAIL: failure, ...more };
      const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
      return (JSON.parse(stdout) as DeviceInfo[]).filter(({ kind }) => kind === "cuda");
    };
    const [lost, other] = await list("cudaGetDeviceProperties:1:719");
    expect(lost).to.include({ name: "cuda:0", available: false });
    expect(lost?.reason).to.contain("cudaErrorLaunchFailure");
    expect(other).to.include({ name: "cuda:1", available: true });
    const [none] = await list("cudaGetDeviceCount:1+:802", { CUDA_VISIBLE_DEVICES: "0" });
    expect(none?.reason).to.contain("cudaErrorSystemNotReady").and.not.contain("CUDA_VISIBLE_DEVICES");
  });

  it("for good is a device that is lost, on a GPU", async () => {
    const outcome = await train("steps", "cudaStreamSynchronize:30+:719");
    expect([outcome.code, outcome.disposed]).to.deep.equal(["CUDA", "CUDA"]);
  });
});
