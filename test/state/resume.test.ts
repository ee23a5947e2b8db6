import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { temporaryFolder } from "../temporary.js";
import { allDevices, cases, fingerprint, make, train } from "./cases.js";

const saved = 5;
const end = 11;
const [first = "", ...others] = allDevices();
/** Any CPU stands for all of them; a GPU keeps its state in another layout. */
const sources = [first, ...others.filter((name) => name.startsWith("cuda"))];

for (const source of sources) {
  describe(`a training resumed from ${source}`, () => {
    const file = temporaryFolder();
    const expected: Record<string, string> = {};
    let resumed: Record<string, string> = {};

    before(async function () {
      this.timeout(300_000);
      for (const [i, chosen] of cases.entries()) {
        const training = make(chosen, { device: source });
        train(training, 0, saved);
        await training.optimizer.save(file(`${i}.safetensors`), { parameters: true });
        train(training, saved, end);
        expected[chosen.name] = fingerprint(training);
      }
      const child = fileURLToPath(new URL("./resume-child.ts", import.meta.url));
      const args = ["--import=tsx", child, file(), String(saved), String(end)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      resumed = JSON.parse(stdout);
    });

    for (const { name } of cases) {
      for (const device of allDevices()) {
        it(`goes on bit for bit in a new process: ${name} on ${device}`, () => {
          expect(resumed[`${name} on ${device}`]).to.equal(expected[name]);
        });
      }
    }

    it("differs when the state is not loaded, so that equality says something", () => {
      const training = make({ name: "plain", options: () => ({}) });
      train(training, saved, end);
      expect(fingerprint(training)).to.not.equal(expected.plain);
    });
  });
}
