import { expect } from "chai";
import { firstDifference, scenarios, trace } from "../../lib/cli/conformance.js";
import { parseDevices } from "../../lib/cli/device-list.js";
import { CommandError } from "../../lib/cli/exit.js";
import { devices } from "../../lib/index.js";
import { cli, cliJson } from "./cli.js";

const available = devices().filter((device) => device.available);

describe("selftest", () => {
  it("finds equal bits on every device of this machine", async () => {
    const { equal, findings } = await cliJson<{ equal: boolean; findings: { device: string }[] }>(
      "selftest",
      "--threads",
      "2",
    );
    expect(equal).to.equal(true);
    expect(new Set(findings.map(({ device }) => device))).to.deep.equal(new Set(available.map(({ name }) => name)));
  });

  it("prints one row per scenario and one column per device asked for", async () => {
    const { status, stdout } = await cli(["selftest", "--devices", "cpu:scalar", "--threads", "2"]);
    expect(status).to.equal(0);
    for (const { name } of scenarios) expect(stdout).to.match(new RegExp(`^${name} +equal bits$`, "m"));
  });

  it("finds one different bit, and knows NaN from numbers and 0 from -0", async () => {
    const expected = await trace(scenarios[0]!, "cpu:scalar", 1);
    for (const change of [(x: number) => x * (1 + 2 ** -23), () => Number.NaN]) {
      const actual = expected.map(({ name, values }) => ({ name, values: values.slice() }));
      const { name, values } = actual.at(-1)!;
      values[7] = change(values[7]!);
      expect(firstDifference(expected, actual)).to.contain(`${name}[7] is `);
    }
    const zero = (value: number) => [{ name: "x", values: Float32Array.of(value) }];
    expect(firstDifference(zero(0), zero(-0))).to.contain("x[0]");
    expect(firstDifference(zero(Number.NaN), zero(Number.NaN))).to.equal(undefined);
    expect(firstDifference(zero(1), [])).to.contain("x[0]");
  });

  it("the scenarios differ from each other in what they leave behind", async () => {
    const traces = await Promise.all(scenarios.map((scenario) => trace(scenario, "cpu:scalar", 1)));
    for (const [i, a] of traces.entries()) {
      for (const b of traces.slice(i + 1)) expect(firstDifference(a, b)).to.be.a("string");
    }
  });

  const list = [
    { name: "cuda:0", kind: "cuda", model: "", available: false, reason: "no driver" },
    { name: "cpu:avx2", kind: "cpu", model: "", available: true, reason: "" },
    { name: "cpu:scalar", kind: "cpu", model: "", available: true, reason: "" },
  ];
  it("devices are chosen by name, by kind (the best of it), auto, or all, each once", () => {
    const chosen = (text: string) => parseDevices(text, "--devices", list);
    expect(chosen("cpu:scalar,cpu:avx2,cpu:scalar")).to.deep.equal(["cpu:scalar", "cpu:avx2"]);
    expect(chosen("cpu")).to.deep.equal(["cpu:avx2"]);
    expect(chosen("auto")).to.deep.equal(["cpu:avx2"]);
    expect(chosen("all")).to.deep.equal(["cpu:avx2", "cpu:scalar"]);
    expect(() => chosen("cuda")).to.throw(CommandError, "cuda:0: no driver");
    expect(() => chosen("cpu:avx3")).to.throw(CommandError, "did you mean cpu:avx2?");
  });

  it("and bench take --device for --devices", async () => {
    const { findings } = await cliJson<{ findings: { device: string }[] }>(
      ...["selftest", "--device", "cpu:scalar", "--threads", "1"],
    );
    expect(new Set(findings.map(({ device }) => device))).to.deep.equal(new Set(["cpu:scalar"]));
    const short = ["--min-time", "0", "--repetitions", "1", "--warmup", "0", "--threads", "1"];
    const { rows } = await cliJson<{ rows: { device: string }[] }>("bench", "10", "--device", "cpu:scalar", ...short);
    expect(rows.map(({ device }) => device)).to.deep.equal(["cpu:scalar"]);
  });

  it("an unknown device ends with 2", async () => {
    const { status, stdout, stderr } = await cli(["selftest", "--device", "gpu"]);
    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: "" });
    expect(stderr).to.contain('for --devices but received "gpu"');
  });
});
