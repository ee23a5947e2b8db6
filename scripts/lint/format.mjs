// Holds the C++ sources to .clang-format; --write formats them in place.
import { spawnSync } from "node:child_process";
import { filesBelow, report, root, skip } from "./files.mjs";

const cpp = /\.(h|cpp|cu|cuh)$/;
const files = [...filesBelow("native", cpp), ...filesBelow("test/native", cpp)];
const mode = process.argv.includes("--write") ? ["-i"] : ["--dry-run", "--Werror"];
const result = spawnSync("clang-format", [...mode, ...files], { cwd: root, encoding: "utf8" });

if (result.error?.code === "ENOENT") skip("C++ format", "clang-format is not installed");
if (result.error) throw result.error;
const complaints = result.stderr.matchAll(/^(.+?):\d+:\d+: (?:error|warning): /gm);
const findings = [...new Set(Array.from(complaints, ([, file]) => `${file}: not formatted (npm run format)`))];
if (result.status !== 0 && findings.length === 0) findings.push(result.stderr.trim());
report("C++ format", findings, `${files.length} files`);
