/**
 * Ours and its peers, in alternating rounds of the same minute:
 *
 *     npx tsx test/bench/compare.ts [--python python3] [--rounds 7] [--case SUBSTRING] [--only NAME,NAME]
 */

import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cases } from "./cases.js";
import { commands } from "./contestants.js";
import { measure, type Outcome } from "./measure.js";
import { barTable, byteModel, machine, resultTable } from "./report.js";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    rounds: { type: "string", default: "7" },
    case: { type: "string", default: "" },
    only: { type: "string" },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const build = join(here, "../../build-bench");

/** Builds the C++ contestants from the sources the addon is made of. */
function buildNative(): void {
  const cmake = (...words: string[]) => execFileSync("cmake", words, { stdio: ["ignore", "ignore", "inherit"] });
  cmake("-S", join(here, "native"), "-B", build, "-DCMAKE_BUILD_TYPE=Release");
  cmake("--build", build, "--target", "contestant", "--parallel");
}

buildNative();
const only = values.only?.split(",");
const outcomes: { subject: (typeof cases)[number]; outcome: Outcome }[] = [];
for (const subject of cases.filter(({ name }) => name.includes(values.case))) {
  console.error(`${subject.name} …`);
  const wanted = (name: string) => only === undefined || only.includes(name);
  outcomes.push({
    subject,
    outcome: await measure(subject, Number(values.rounds), commands(values.python, build), wanted),
  });
}
const parts = [machine(), byteModel(), resultTable(outcomes), barTable(outcomes)];
console.log(parts.join("\n\n"));
