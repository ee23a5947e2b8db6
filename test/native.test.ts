import { spawnSync } from "node:child_process";
import { relative } from "node:path";
import { expect } from "chai";
import { indices, pack } from "../lib/blocks.js";
import { accumulationSteps, packPolicy, packSettings } from "../lib/hyper.js";
import { native } from "../lib/native.js";
import { resolveOptions } from "../lib/options.js";
import { parseParameters } from "../lib/parameters.js";
import { rejectsWith } from "./rejects.js";
import { typescriptArgv } from "./typescript.js";

const { tables } = native;

/** Imports the package in a process of its own, under another FUSED_ADAMW_BINDING. */
function importWith(binding: string) {
  const program = `
    try {
      const { devices } = await import(${JSON.stringify(new URL("../lib/index.js", import.meta.url).href)});
      console.log(devices().length > 0 ? "loaded" : "no devices");
    } catch ({ name, code, message }) {
      console.log(name, code, message);
    }
  `;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...typescriptArgv, "--input-type=module", "--eval", program],
    { encoding: "utf8", env: { ...process.env, FUSED_ADAMW_BINDING: binding } },
  );
  expect(stderr).to.equal("");
  return stdout;
}

describe("the addon", () => {
  it("names its slots, blocks and fields once each", () => {
    expect(tables.slots).to.deep.equal(["moment1", "moment2", "maxMoment2", "ema", "accumulator"]);
    for (const [block, names] of Object.entries(tables)) {
      expect(new Set(names).size, block).to.equal(names.length).and.to.be.above(0);
      for (const name of names) expect(name, block).to.match(/^[a-z][A-Za-z0-9]*$/);
    }
  });

  it("expects exactly the fields that are packed", () => {
    const options = resolveOptions({ clipnorm: 2, amsgrad: true });
    const policy = packPolicy(options, { scale: 1, dynamic: { growthSteps: 5, minimum: 2, maximum: 3 } });
    expect(policy).to.have.length(tables.policy.length);
    const at = indices(tables.policy, "clipNorm", "amsgrad", "growthSteps", "accumulationSteps");
    expect([policy[at.clipNorm], policy[at.amsgrad], policy[at.growthSteps]]).to.deep.equal([2, 1, 5]);
    expect(policy[at.accumulationSteps]).to.equal(accumulationSteps(options)).and.to.equal(1);
    const parameters = parseParameters([{ name: "a", value: new Float32Array(1) }]);
    const { settings, assignment } = packSettings(options, null, parameters);
    expect(settings).to.have.length(tables.setting.length);
    expect([...assignment]).to.deep.equal([0]);
    expect([...tables.controls].sort()).to.deep.equal(["gradientScale", "learningRate", "weightDecay"]);
  });

  it("of another version is an error where a field is missing on either side", () => {
    rejectsWith("NATIVE", () => pack(["a", "b"], { a: 1 }), "expects b");
    rejectsWith("NATIVE", () => indices(["a"], "a", "c"), "does not know c");
  });

  it("checks the memory it is given once more", () => {
    const parameters = [{ value: new Float32Array(4), gradient: null, length: 4 }];
    const types = { parameterType: "float32", gradientType: "" } as const;
    const controls = new Float64Array(tables.controls.length);
    const report = new Float64Array(tables.report.length);
    const policy = packPolicy(resolveOptions(), { scale: 1 });
    const rates = new Float64Array(3 * native.foreseen);
    const stream = new native.Stream("cpu");
    const spec = { stream, threads: 1, policy, lossScale: 1, ...types, parameters, controls, report, rates };
    const optimizer = new native.Optimizer(spec);
    const f64 = new Float64Array(4) as unknown as Float32Array;
    rejectsWith("INVALID_ARGUMENT", () => optimizer.bind(0, f64, null), "Float32Array");
    rejectsWith("LENGTH_MISMATCH", () => optimizer.bind(0, new Float32Array(3), null), "4", "3");
    rejectsWith("INVALID_ARGUMENT", () => optimizer.bind(1, undefined, null), "No such parameter");
    rejectsWith("INVALID_ARGUMENT", () => optimizer.readSlot(0, 2, new Float32Array(4)), "no such slot");
    rejectsWith("LENGTH_MISMATCH", () => optimizer.step([]), "one gradient per parameter");
    rejectsWith("LENGTH_MISMATCH", () => optimizer.counters(new Float64Array(1)));
    rejectsWith("LENGTH_MISMATCH", () => new native.Optimizer({ ...spec, policy: controls }));
    const unknown = "float128" as "float32";
    for (const types of [{ parameterType: unknown }, { gradientType: unknown }]) {
      const combinations = native.layouts.map(({ parameter, gradient }) => `${parameter} with ${gradient}`).join(", ");
      rejectsWith("INVALID_ARGUMENT", () => new native.Optimizer({ ...spec, ...types }), combinations, unknown);
    }
    rejectsWith(
      "INVALID_ARGUMENT",
      () => optimizer.assign(new Float64Array(0), Float64Array.of(0)),
      "existing setting",
    );
    optimizer.dispose();
    rejectsWith("DISPOSED", () => optimizer.step([null]));
    rejectsWith("DISPOSED", () => optimizer.device);
  });

  it("is loaded from where FUSED_ADAMW_BINDING points, also by a relative path", () => {
    const built = native.devices().length > 0 && process.env.FUSED_ADAMW_BINDING;
    const file = built || new URL("../build/Release/fused_adamw.node", import.meta.url).pathname;
    expect(importWith(relative(process.cwd(), file))).to.equal("loaded\n");
  }).timeout(20_000);

  it("that cannot be loaded is an error that says where it was looked for, why not, and what to do", () => {
    const missing = importWith("/nowhere/fused.node");
    expect(missing).to.match(/^AdamWError NATIVE Could not load/);
    const named = "/nowhere/fused.node: no such file (FUSED_ADAMW_BINDING names it)";
    expect(missing)
      .to.contain(named)
      .and.to.contain("Unset FUSED_ADAMW_BINDING")
      .and.to.contain("npx fused-adamw build");
    expect(missing).to.contain(process.platform).and.to.contain(process.version);
    const notAnAddon = importWith("package.json");
    expect(notAnAddon)
      .to.match(/^AdamWError NATIVE/)
      .and.to.contain("package.json: ");
  }).timeout(20_000);
});
