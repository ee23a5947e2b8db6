// What the lint scripts share: which files there are, and how a finding is reported.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Files below the folder whose name matches, as paths from the root with forward slashes, sorted. */
export function filesBelow(folder, pattern) {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

const sources = JSON.parse(readFileSync(join(root, "native/sources.gypi"), "utf8"));
const targets = [...sources.targets, ...sources.conditions.flatMap(([, { targets }]) => targets)];

/** Those that native/kernels/cpu has a Vec for: each has a target of its own, "cpu_avx2". */
export const instructionSets = targets
  .filter(({ target_name }) => target_name.startsWith("cpu_"))
  .flatMap((target) => target.sources.map((source) => basename(source, ".cpp")));

/** Prints the findings and ends the process; a lint without findings says how much it looked at. */
export function report(lint, findings, looked) {
  for (const finding of findings) console.error(finding);
  console.log(findings.length === 0 ? `${lint}: ${looked}, all well` : `${lint}: ${findings.length} wrong`);
  process.exit(findings.length === 0 ? 0 : 1);
}

/** A check that this machine cannot make is reported, never dropped. */
export function skip(lint, reason) {
  console.log(`${lint}: skipped: ${reason}`);
  process.exit(0);
}
