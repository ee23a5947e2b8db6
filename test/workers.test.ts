import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect } from "chai";
import { AdamW, devices } from "../lib/index.js";
import { typescriptArgv } from "./typescript.js";

const length = 200_000;
const script = (name: string) => new URL(`workers/${name}.ts`, import.meta.url);
const bootstrap = new URL("workers/typescript.mjs", import.meta.url);
const execArgv = [...typescriptArgv];

function startWorker(name: string, data: Record<string, unknown> = {}): Worker {
  return new Worker(bootstrap, { execArgv: [], workerData: { module: script(name).href, ...data } });
}

/** What two steps over these arrays make of the values. */
function here(value: Float32Array, gradient: Float32Array): Float32Array {
  const result = value.slice();
  const optimizer = new AdamW({ weightDecay: 0.1 }, { threads: 2 }).build([{ name: "a", value: result, gradient }]);
  for (let i = 0; i < 2; i += 1) optimizer.step();
  return result;
}

function shared(fill: (i: number) => number): Float32Array {
  const array = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
  for (let i = 0; i < length; i += 1) array[i] = fill(i);
  return array;
}

function bytes({ buffer }: Float32Array): Uint8Array {
  return new Uint8Array(buffer);
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  const [code, signal] = await once(child, "exit");
  return signal ?? code;
}

const kinds = devices().filter(({ name, available }) => available && !/^cpu:(?!scalar)/.test(name));

for (const { name: device } of kinds) {
  describe(`worker threads on ${device}`, () => {
    it("step at once, over memory the main thread shares with them", async () => {
      const gradient = shared((i) => Math.sin(i));
      const values = Array.from({ length: 3 }, (_, k) => shared((i) => Math.cos(i + k)));
      const expected = values.map((value) => here(value, gradient));
      const workers = values.map((value) => startWorker("step", { device, value, gradient, steps: 2, threads: 2 }));
      const counts = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
      await Promise.all(workers.map((worker) => worker.terminate()));
      expect(counts).to.deep.equal([2, 2, 2]);
      values.forEach((value, k) => {
        expect(Buffer.compare(bytes(value), bytes(expected[k] as Float32Array)), `worker ${k}`).to.equal(0);
      });
    });

    it("can end during an asynchronous step", async () => {
      for (let i = 0; i < 3; i += 1) {
        const worker = startWorker("unfinished", { device });
        await once(worker, "message");
        expect(await worker.terminate()).to.equal(1);
      }
      const value = new Float32Array(length);
      expect(here(value, value.slice().fill(1))[0]).to.be.below(0);
    });
  });
}

describe("worker threads", () => {
  // The pool's threads outlive the worker, and with them must the library that Node would unload.
  it("can be the only ones that load the addon, one after the other", async () => {
    const program = `
      import { Worker } from "node:worker_threads";
      const array = () => new Float32Array(new SharedArrayBuffer(${length * 4})).fill(1);
      for (let i = 0; i < 3; i += 1) {
        const data = { value: array(), gradient: array(), steps: 2, threads: 4 };
        const workerData = { module: ${JSON.stringify(script("step").href)}, ...data };
        const worker = new Worker(new URL(${JSON.stringify(bootstrap.href)}), { execArgv: [], workerData });
        await new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
        if (data.value[0] === 1) throw new Error("no step was taken");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: "inherit",
    });
    expect(await exitCode(child)).to.equal(0);
  });
});

describe("child processes", () => {
  it("step in their own pool of threads after the parent has used its own", async () => {
    const value = new Float32Array(length);
    here(value, value.slice().fill(1));
    const child = fork(fileURLToPath(script("child")), { execArgv });
    const [result] = await once(child, "message");
    expect(result).to.deep.equal({ iterations: 2, first: here(value, value.slice().fill(1))[0] });
    expect(await exitCode(child)).to.equal(0);
  });

  it("can exit during an asynchronous step", async () => {
    const child = fork(fileURLToPath(script("child")), ["exit"], { execArgv });
    expect(await exitCode(child)).to.equal(3);
  });
});
