import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import type { AdamWOptions } from "../lib/options.js";
import type { PlannedParameter } from "../lib/plan.js";
import { rejects } from "./rejects.js";
import { typescriptArgv } from "./typescript.js";

const parameters = [
  { name: "kernel", shape: [16, 4] },
  { name: "scalar", shape: [] },
  { name: "empty", shape: [0, 3] },
];

describe("plan", () => {
  it("counts bytes by Keras' names, without those of frozen parameters", () => {
    const options: AdamWOptions = { amsgrad: true, groups: [{ match: "scalar", frozen: true }] };
    expect(AdamW.plan(options, parameters)).to.deep.equal({
      parameters: 65,
      values: 260,
      gradients: 256,
      slots: { momentum: 256, velocity: 256, velocity_hat: 256 },
      state: 768,
      total: 260 + 256 + 768,
    });
  });

  const optional: AdamWOptions[] = [
    {},
    { amsgrad: true },
    { useEma: true },
    { gradientAccumulationSteps: 2 },
    { amsgrad: true, useEma: true, gradientAccumulationSteps: 2, groups: [{ match: "kernel", frozen: true }] },
  ];
  for (const options of optional) {
    it(`is what the variables of an optimizer take: ${JSON.stringify(options)}`, () => {
      const list = parameters.map(({ name, shape }) => ({
        name,
        shape,
        value: new Float32Array(shape.reduce((a, b) => a * b, 1)),
      }));
      const slots = new AdamW(options).build(list).variables.filter(({ path }) => path.includes("_"));
      const bytes = slots
        .filter(({ path }) => !path.endsWith("learning_rate"))
        .reduce((sum, { value }) => sum + value.byteLength, 0);
      expect(AdamW.plan(options, parameters).state).to.equal(bytes);
    });
  }

  // A process of its own: in this one, memory that earlier tests have left goes back to the system meanwhile.
  it("is what the process takes, and what dispose() gives back", () => {
    const program = `
      const { AdamW } = await import(${JSON.stringify(new URL("../lib/adamw.js", import.meta.url).href)});
      const options = { amsgrad: true, useEma: true, gradientAccumulationSteps: 2 };
      const value = new Float32Array(4 << 20);
      const { state } = AdamW.plan(options, [{ name: "a", shape: [value.length] }]);
      const { rss } = process.memoryUsage;
      const before = rss();
      const optimizer = new AdamW(options, { threads: 1 }).build([{ name: "a", value }]);
      const built = rss();
      optimizer.dispose();
      console.log(JSON.stringify([built - before, rss() - before].map((bytes) => bytes / state)));
    `;
    const argv = [...typescriptArgv, "--input-type=module", "--eval", program];
    const [taken, left] = JSON.parse(execFileSync(process.execPath, argv, { encoding: "utf8" }));
    expect(taken).to.be.within(0.9, 1.1);
    expect(left).to.be.within(-0.1, 0.1);
  });

  it("takes any number of elements", () => {
    expect(AdamW.plan({}, [{ name: "a", shape: [2 ** 20, 2 ** 20] }]).state).to.equal(2 ** 43);
  });

  it("checks names, shapes and options", () => {
    const plan = (list: unknown, options: AdamWOptions = {}) =>
      AdamW.plan(options, list as readonly PlannedParameter[]);
    rejects(() => plan([{ name: "a" }]), "parameters[0].shape");
    rejects(() => plan([{ name: "a", shape: [-1] }]), "parameters[0].shape[0]");
    rejects(() => plan([{ shape: [1] }]), "parameters[0].name");
    rejects(() => plan({}), "an array");
    rejects(() => plan([], { beta1: 1 }), "beta1");
  });
});
