// What ptxas makes of the CUDA kernels, counted: registers, the width of loads and stores, bytes and instructions per
// parameter, and the share of an H100's memory time that the instructions take. Fails when a kernel spills, moves more
// bytes than its streams hold, or would wait for anything but memory.
//
//   npm run sass -- [--architectures 90,120 | all] [--nvdisasm FILE] [--write]
//
// --write puts the counts of all architectures into docs/cuda.md.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { root, skip } from "./lint/files.mjs";
import { readKernels } from "./sass/code.mjs";
import { judge } from "./sass/judge.mjs";
import { renderDocs, renderText } from "./sass/tables.mjs";

const { values: options } = parseArgs({
  options: { architectures: { type: "string" }, nvdisasm: { type: "string" }, write: { type: "boolean" } },
});
const { cuda_flags: flags, cuda_architectures: all } = JSON.parse(
  readFileSync(join(root, "native/flags.gypi"), "utf8"),
).variables;

function findDisassembler() {
  const named = options.nvdisasm ?? process.env.NVDISASM;
  if (named) return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, "nvdisasm")).find((file) => existsSync(file));
}

/** The kernels of one architecture: name → { code, registers, spills, stack }. */
function compile(nvcc, nvdisasm, architecture) {
  const folder = mkdtempSync(join(tmpdir(), "sass-"));
  const cubin = join(folder, "kernels.cubin");
  try {
    const target = [`-arch=sm_${architecture}`, "-cubin", "kernels/cuda/device.cu", "-o", cubin];
    const result = spawnSync(nvcc, [...flags, "-Xptxas", "-v", "-I", ".", ...target], {
      cwd: join(root, "native"),
      encoding: "utf8",
    });
    if (result.status !== 0) throw new Error(`sm_${architecture}: nvcc failed\n${result.stderr}`);
    const code = readKernels(nvdisasm, cubin);
    const report =
      /entry function '(\S+)'.*\n(?:.*\n)? +(\d+) bytes stack frame, (\d+) bytes spill stores.*\n.*Used (\d+) registers/g;
    return [...result.stderr.matchAll(report)].map(([, name, stack, spills, registers]) => ({
      name,
      code: code.get(name),
      stack: Number(stack),
      spills: Number(spills),
      registers: Number(registers),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The part of the page between the marks is ours. */
function writeDocs(text) {
  const page = join(root, "docs/cuda.md");
  const [begin, end] = ["<!-- npm run sass -- --write: begin -->", "<!-- end -->"];
  const old = readFileSync(page, "utf8");
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has lost the marks ${begin} and ${end}`);
  writeFileSync(page, `${old.slice(0, from + begin.length)}\n\n${text}\n\n${old.slice(to)}`);
}

const nvcc = execFileSync("node", [join(root, "scripts/cuda.mjs"), "nvcc"], { encoding: "utf8" }).trim();
if (nvcc === "") skip("sass", "nvcc was not found");
const nvdisasm = findDisassembler();
if (!nvdisasm) {
  skip(
    "sass",
    "nvdisasm was not found. A full CUDA toolkit has it, and so has the Python wheel of triton, in triton/backends/" +
      "nvidia/bin (`pip download --no-deps triton`, unzip, chmod +x). Put it on PATH, or name it: --nvdisasm FILE",
  );
}

const wanted = options.write ? "all" : (options.architectures ?? "90");
const architectures = wanted === "all" ? all : wanted.split(",");
const results = new Map();
for (const architecture of architectures) {
  const kernels = compile(nvcc, nvdisasm, architecture).map(judge);
  results.set(architecture, kernels);
  console.log(`sm_${architecture}\n${renderText(kernels)}\n`);
}
const failures = [...results].flatMap(([architecture, kernels]) =>
  kernels.flatMap(({ title, faults }) => faults.map((fault) => `sm_${architecture} ${title}: ${fault}`)),
);
for (const failure of failures) console.error(failure);
if (failures.length === 0 && options.write) writeDocs(renderDocs(results));
console.log(`${[...results.values()].flat().length - failures.length} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;
