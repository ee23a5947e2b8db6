// Builds the addon: with node-gyp into build/, or with cmake-js into build-cmake/ (`--with cmake-js`).
// Both compile only what changed. Nothing is downloaded where Node's own headers are installed beside it.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const jobs = String(availableParallelism());

/** The prefix of the running Node when its headers are installed there; node-gyp downloads them otherwise. */
function nodePrefix() {
  const prefix = resolve(dirname(realpathSync(process.execPath)), "..");
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** Our own node-gyp, or the one inside npm where only the package's dependencies are installed. */
function nodeGyp() {
  try {
    return require.resolve("node-gyp/bin/node-gyp.js");
  } catch (error) {
    const bundled = process.env.npm_config_node_gyp;
    if (bundled && existsSync(bundled)) return bundled;
    throw new Error("node-gyp was not found: start the build with `npm run build:native`", { cause: error });
  }
}

const builders = {
  "node-gyp": () => {
    const prefix = process.env.npm_config_nodedir ?? nodePrefix();
    const options = ["--loglevel=warn", `--jobs=${jobs}`, ...(prefix ? [`--nodedir=${prefix}`] : [])];
    return {
      output: "build/Release/fused_adamw.node",
      headers: prefix ?? "downloaded",
      needs: "Python 3, make and a C++17 compiler",
      commands: [[nodeGyp(), "configure", "build", ...options]],
    };
  },
  "cmake-js": () => {
    const script = require.resolve("cmake-js/bin/cmake-js");
    const options = ["--out", "build-cmake", "--log-level", "error"];
    return {
      output: "build-cmake/Release/fused_adamw.node",
      headers: "node-api-headers",
      needs: "CMake 3.19, make or ninja, and a C++17 compiler",
      commands: [
        [script, "configure", ...options],
        [script, "build", ...options, "--parallel", jobs],
      ],
    };
  },
};

const { values } = parseArgs({ options: { with: { type: "string", default: "node-gyp" } } });
const builder = builders[values.with];
if (!builder) {
  console.error(`Expected ${Object.keys(builders).join(" or ")} for --with but received ${values.with}`);
  process.exit(2);
}

// make leaves an archive as it is when the objects that belong into it are others now: a build with CUDA after one
// without would still have none.
for (const archive of ["build/Release/cuda.a", "build/Release/obj.target/native/cuda.a"]) {
  rmSync(join(root, archive), { force: true });
}

// A published package has none: npm would take it for a wish to build at every install.
const gyp = join(root, "binding.gyp");
if (!existsSync(gyp)) {
  writeFileSync(gyp, "{'includes': ['native/addon.gypi']}\n");
  process.on("exit", () => rmSync(gyp, { force: true }));
}

const { output, headers, needs, commands } = builder();
console.log(`${values.with}: building ${output} (Node headers: ${headers})`);
for (const command of commands) {
  // make's own echo of every archive it writes says nothing; the line per compiled file stays.
  const env = { ...process.env, MAKEFLAGS: "--silent" };
  const { status, error } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit", env });
  if (error) throw error;
  if (status !== 0) {
    console.error(`${values.with} could not build ${output}. It needs ${needs}.`);
    process.exit(1);
  }
}
console.log(`${values.with}: ${output} is up to date`);
