/** `build`: compiles the addon where the package is installed; nothing does that unasked. */

import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { buildScript } from "../../binary.js";
import { CommandError } from "../exit.js";
import { printJson } from "../terminal.js";

export function define(command: Command): void {
  command
    .description("Compiles the native addon of this installation. Needs Python 3, make and a C++17 compiler.")
    .option("--without-cuda", "leave the CUDA kernels out, which take a minute or two where nvcc is found")
    .action((options: { withoutCuda?: true; json?: true }) => {
      const env = options.withoutCuda ? { ...process.env, FUSED_ADAMW_CUDA: "off" } : process.env;
      // What the compiler says goes to stderr: stdout is for the answer.
      const { status, error } = spawnSync(buildScript, { shell: true, stdio: ["ignore", 2, 2], env });
      if (error || status !== 0)
        throw new CommandError("missing", `${buildScript} failed: see above`, { cause: error });
      if (options.json) printJson({ built: true });
    });
}
