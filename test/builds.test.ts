import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamWError } from "../lib/errors.js";
import { packPolicy, packSettings } from "../lib/hyper.js";
import type { native } from "../lib/native.js";
import { resolveOptions } from "../lib/options.js";
import { parseParameters } from "../lib/parameters.js";
import { temporaryFolder } from "./temporary.js";

type Addon = typeof native;

const places = { "node-gyp": "../build/Release", "cmake-js": "../build-cmake/Release" };
const files = Object.entries(places).map(([tool, place]) => ({
  tool,
  file: fileURLToPath(new URL(`${place}/fused_adamw.node`, import.meta.url)),
}));
const missing = files.filter(({ file }) => !existsSync(file)).map(({ tool }) => tool);

function load({ file }: { file: string }): Addon {
  const addon = createRequire(import.meta.url)(file) as Addon;
  addon.setErrorClass(AdamWError);
  return addon;
}

const properties = (value: object) => Object.getOwnPropertyNames(value).sort();

/** Values, moments and report after steps with every stream, on one device. */
function compute(addon: Addon, device: string): Buffer {
  const length = 70_001;
  const value = Float32Array.from({ length }, (_, i) => Math.fround(((i * 7919) % 1009) / 504.5 - 1));
  const gradient = Float32Array.from({ length }, (_, i) => Math.fround(((i * 104_729) % 997) / 498.5 - 1));
  const options = resolveOptions({ amsgrad: true, useEma: true, gradientAccumulationSteps: 2, globalClipnorm: 1 });
  const parameters = parseParameters([{ name: "a", value, gradient }]);
  const controls = addon.tables.controls.map((name) => ({ learningRate: 0.1, weightDecay: 0.01 })[name] ?? 1);
  const report = new Float64Array(addon.tables.report.length);
  const optimizer = new addon.Optimizer({
    stream: new addon.Stream(device),
    threads: 2,
    policy: packPolicy(options, { scale: 1 }),
    lossScale: 1,
    parameterType: "float32",
    gradientType: "float32",
    parameters,
    controls: Float64Array.from(controls),
    report,
    rates: new Float64Array(3 * addon.foreseen),
  });
  const { settings, assignment } = packSettings(options, null, parameters);
  optimizer.assign(settings, assignment);
  for (let step = 0; step < 6; step += 1) optimizer.step();
  const slots = addon.tables.slots.map((_, slot) => optimizer.readSlot(0, slot, new Float32Array(length)));
  optimizer.dispose();
  return Buffer.concat([value, ...slots, report].map(({ buffer }) => Buffer.from(buffer)));
}

describe("the builds by node-gyp and by cmake-js", () => {
  before(function () {
    if (missing.length === 0) return;
    console.log(
      `two builds: skipped: not built by ${missing.join(" and ")} (npm run build:native, npm run build:cmake)`,
    );
    this.skip();
  });

  it("export the same names, tables and devices", () => {
    const [first, second] = files.map(load) as [Addon, Addon];
    expect(first).not.to.equal(second);
    expect(properties(second)).to.deep.equal(properties(first));
    expect(properties(second.Optimizer.prototype)).to.deep.equal(properties(first.Optimizer.prototype));
    expect(second.tables).to.deep.equal(first.tables);
    expect(second.devices()).to.deep.equal(first.devices());
  });

  it("compute the same bits on every device", () => {
    const [first, second] = files.map(load) as [Addon, Addon];
    const scalar = compute(first, "cpu:scalar");
    for (const { name, available } of first.devices()) {
      if (!available) continue;
      expect(Buffer.compare(compute(first, name), scalar), name).to.equal(0);
      expect(Buffer.compare(compute(second, name), scalar), name).to.equal(0);
    }
  });
});

/** 64 numbers of each of 1,024 threads wait at a barrier: there are 64 registers for each. */
const spills = `__global__ void __launch_bounds__(1024) spills(float* x) {
  float kept[64];
  for (int i = 0; i < 64; ++i) kept[i] = x[threadIdx.x + i * 1024];
  __syncthreads();
  for (int i = 0; i < 64; ++i) x[threadIdx.x + i * 1024] = kept[i] * x[1];
}`;

describe("The flags of the CUDA kernels", () => {
  const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const nvcc = execFileSync(process.execPath, [path("scripts/cuda.mjs"), "nvcc"], { encoding: "utf8" }).trim();
  const flags = JSON.parse(readFileSync(path("native/flags.gypi"), "utf8")).variables;

  it("let no kernel pass that spills registers, on any architecture", function () {
    if (nvcc === "") {
      console.log("flags of the CUDA kernels: skipped: nvcc was not found");
      this.skip();
    }
    this.timeout(120_000);
    const folder = temporaryFolder();
    writeFileSync(folder("spills.cu"), spills);
    const compile = (...options: string[]) =>
      spawnSync(nvcc, [...options, "-cubin", "spills.cu"], { cwd: folder(), encoding: "utf8" });
    const known = spawnSync(nvcc, ["--list-gpu-arch"], { encoding: "utf8" }).stdout;
    for (const architecture of flags.cuda_architectures.filter((name: string) => known.includes(`_${name}`))) {
      const target = `-arch=sm_${architecture}`;
      const { status, stderr } = compile(...flags.cuda_flags, target);
      expect(stderr, target).to.match(/error.*Registers are spilled/);
      expect(status, target).not.to.equal(0);
    }
    expect(compile(`-arch=sm_${flags.cuda_architectures[0]}`).status, "without the flags").to.equal(0);
  });
});
