// `npm run test:gpu`: the suites that run on GPUs, the table of equal bits, and a step's time beside a copy of as many
// bytes. Skips, saying why, where there is no GPU. An emulator is none, unless FUSED_ADAMW_TEST_GPU=emulator wants to
// try this script on one; its times mean nothing.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { AdamW, devices, openDevice } = await import("../dist/index.js");

const suites = [
  "conformance",
  "cuda",
  "device",
  "device-buffer",
  "dtypes",
  "stream",
  "ahead-steps",
  "offload",
  "workers",
];
const bytesPerParameter = 28;

function skip(reason) {
  console.log(`test:gpu: skipped: ${reason}`);
  process.exit(0);
}

function run(name, ...words) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: "inherit" });
  return status === 0;
}

/** Milliseconds of one of `times` calls, on the device: the median of seven batches. */
function timeOf(stream, times, work) {
  const batches = Array.from({ length: 7 }, () => {
    const begin = stream.record();
    for (let i = 0; i < times; i += 1) work();
    return stream.record().since(begin) / times;
  });
  return batches.sort((a, b) => a - b)[3];
}

function timeStep(name, parameters) {
  const device = openDevice(name);
  const stream = device.createStream();
  const make = (length) => device.allocate("float32", length, { stream }).fill(0.01);
  const optimizer = new AdamW({}, { stream });
  optimizer.build([{ name: "w", value: make(parameters), gradient: make(parameters) }]);
  // A copy reads and writes: half of a step's bytes, moved once, are all of them.
  const words = Math.round((parameters * bytesPerParameter) / 2 / 4);
  const [from, to] = [make(words), make(words)];
  const work = [() => optimizer.step(), () => void to.copyFrom(from)];
  for (const once of work) once();
  const [step, copy] = work.map((each) => timeOf(stream, 20, each));
  const rate = (milliseconds) => `${((parameters * bytesPerParameter) / milliseconds / 1e6).toFixed(1)} GB/s`;
  console.log(`step  ${step.toFixed(4)} ms, ${((step * 1e6) / parameters).toFixed(4)} ns per parameter, ${rate(step)}`);
  console.log(`copy  ${copy.toFixed(4)} ms, ${rate(copy)}`);
  console.log(`a step of ${parameters} parameters runs at ${((100 * copy) / step).toFixed(1)} % of the copy's speed`);
}

const gpus = devices().filter(({ kind }) => kind === "cuda");
const gpu = gpus.find(({ available }) => available);
if (!gpu) skip(gpus.map(({ name, reason }) => `${name}: ${reason}`).join("; "));
const emulated = gpu.model.includes("emulator");
if (emulated && process.env.FUSED_ADAMW_TEST_GPU !== "emulator") skip(`${gpu.name} is an emulator (${gpu.model})`);
console.log(`${gpu.name}: ${gpu.model}`);

const specs = suites.flatMap((name) => ["--spec", `test/${name}.test.ts`]);
const passed = [
  run("suites", join(root, "node_modules/mocha/bin/mocha.js"), ...specs, "--grep", "cuda|GPU"),
  run("equal bits", join(root, "dist/cli/main.js"), "selftest", "--devices", "cuda"),
];
console.log(`\n== time beside a copy${emulated ? " (an emulator's, which means nothing)" : ""}`);
timeStep(gpu.name, emulated ? 2 ** 14 : 2 ** 26);
process.exitCode = passed.includes(false) ? 1 : 0;
