import { devices } from "../lib/index.js";
import { bufferSubject, cpuSubject, offloadSubject, runConformance } from "./conformance.js";

describe("The bits of cpu:scalar on one thread are returned", () => {
  for (const { name, kind, available, reason } of devices()) {
    const threads = kind === "cpu" ? [1, 2, 3, 4] : [1];
    describe(`by ${name}${kind === "cpu" ? " on 1 to 4 threads" : ", from and to arrays"}`, () => {
      if (available) return runConformance(cpuSubject(name, threads));
      it(`(not on this machine: ${reason})`, function () {
        this.skip();
      });
    });
  }

  for (const { name, kind, available } of devices()) {
    if (available && (kind !== "cpu" || name === "cpu:scalar")) {
      describe(`by ${name}, in its own buffers`, () => runConformance(bufferSubject(name)));
    }
    if (available && kind !== "cpu") {
      describe(`by ${name}, offloaded, in its own buffers`, () => runConformance(offloadSubject(name, false)));
      describe(`by ${name}, offloaded, in arrays and buffers`, () => runConformance(offloadSubject(name, true)));
    }
  }
});
