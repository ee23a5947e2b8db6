// What node-gyp must know of CUDA: `node scripts/cuda.mjs QUESTION` prints the answer. CMake finds out by itself.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** nvcc where CUDA_PATH, the command path or the usual folder has it. FUSED_ADAMW_CUDA=off: not wanted. */
function findNvcc() {
  if (process.platform !== "linux" || process.env.FUSED_ADAMW_CUDA === "off") return undefined;
  const home = process.env.CUDA_PATH ?? process.env.CUDA_HOME;
  const folders = [...(home ? [join(home, "bin")] : []), ...(process.env.PATH ?? "").split(delimiter)];
  return [...folders, "/usr/local/cuda/bin"].map((folder) => join(folder, "nvcc")).find((file) => existsSync(file));
}

function ask(nvcc, ...options) {
  return spawnSync(nvcc, options, { encoding: "utf8" }).stdout ?? "";
}

/** The toolkit's folder; nvcc itself says it, since the command may be a script that only calls it. */
function toolkit(nvcc) {
  const { stdout, stderr } = spawnSync(nvcc, ["--dryrun", "-E", "-x", "cu", "/dev/null"], { encoding: "utf8" });
  return /^#\$ TOP=(.+)$/m.exec(`${stdout}${stderr}`)?.[1] ?? dirname(dirname(realpathSync(nvcc)));
}

/** Machine code for every listed architecture the toolkit knows, and PTX of the lowest for those to come. */
function architectureFlags(nvcc) {
  const { cuda_architectures } = JSON.parse(readFileSync(join(root, "native/flags.gypi"), "utf8")).variables;
  const known = ask(nvcc, "--list-gpu-arch").match(/\d+/g) ?? [];
  const usable = cuda_architectures.filter((architecture) => known.includes(architecture));
  const lowest = usable[0];
  if (lowest === undefined) {
    const message = `${nvcc} compiles for none of the GPU architectures ${cuda_architectures.join(", ")}, only for`;
    throw new Error(`${message} ${known.join(", ") || "none"}: use another CUDA toolkit, or set FUSED_ADAMW_CUDA=off`);
  }
  return [
    ...usable.flatMap((architecture) => ["-gencode", `arch=compute_${architecture},code=sm_${architecture}`]),
    ...["-gencode", `arch=compute_${lowest},code=compute_${lowest}`],
    ...(ask(nvcc, "--help").includes("--compress-mode") ? ["--compress-mode=size"] : []),
  ];
}

/** Where the runtime library is: both places are in use. */
function libraryFolder(nvcc) {
  const folders = ["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"];
  const found = folders.find((folder) => existsSync(join(toolkit(nvcc), folder, "libcudart_static.a")));
  return found && join(toolkit(nvcc), found);
}

const answers = {
  available: (nvcc) => (nvcc && libraryFolder(nvcc) ? "on" : "off"),
  nvcc: (nvcc) => nvcc ?? "",
  flags: (nvcc) => (nvcc ? architectureFlags(nvcc).join(" ") : ""),
  headers: () =>
    readdirSync(join(root, "native"), { recursive: true })
      .filter((file) => /^(rule|kernels|kernels\/cuda)\/\w+\.h$/.test(file))
      .sort()
      .join(" "),
  library: (nvcc) => (nvcc && libraryFolder(nvcc)) ?? "",
};

const question = process.argv[2] ?? "available";
try {
  console.log(answers[question](findNvcc()));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
