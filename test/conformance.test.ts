import { devices } from "../lib/index.js";
import { cpuSubject, runConformance } from "./conformance.js";

describe("The bits of cpu:scalar on one thread are returned", () => {
  for (const { name, kind, available, reason } of devices()) {
    if (kind !== "cpu") continue;
    describe(`by ${name} on 1 to 4 threads`, () => {
      if (available) return runConformance(cpuSubject(name, [1, 2, 3, 4]));
      it(`(not on this machine: ${reason})`, function () {
        this.skip();
      });
    });
  }
});
