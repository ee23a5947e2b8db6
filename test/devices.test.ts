import { expect } from "chai";
import { AdamW, devices } from "../lib/index.js";
import { cpuSubject, runConformance } from "./conformance.js";
import { rejectsWith } from "./rejects.js";

describe("devices", () => {
  it("are listed best first, the scalar code last and always there", () => {
    const cpus = devices().filter(({ kind }) => kind === "cpu");
    expect(cpus.map(({ name }) => name)).to.deep.equal(["cpu:avx512", "cpu:avx2", "cpu:neon", "cpu:scalar"]);
    expect(cpus.at(-1)).to.include({ available: true, reason: "" });
  });

  for (const { name, kind, available, reason } of devices()) {
    if (!available) {
      it(`${name} is refused by name, with its reason: ${reason}`, () => {
        const optimizer = new AdamW({}, { device: name });
        rejectsWith("NO_DEVICE", () => optimizer.build([{ name: "w", value: new Float32Array(1) }]), reason);
      });
    } else if (kind === "cpu") {
      describe(`${name} returns the bits of cpu:scalar with 1 to 4 threads`, () => {
        runConformance(cpuSubject(name, [1, 2, 3, 4]));
      });
    }
  }
});
