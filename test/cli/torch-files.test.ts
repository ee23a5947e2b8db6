import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { temporaryFolder } from "../temporary.js";
import { cli, cliJson } from "./cli.js";

const fixture = (name: string) => fileURLToPath(new URL(`../state/torch/${name}`, import.meta.url));

describe("PyTorch's files on the command line", () => {
  const file = temporaryFolder();
  const unnamed = fixture("unnamed.pt");

  it("are inspected and verified without names, by the numbers of their parameters", async () => {
    const { status, stdout } = await cli(["inspect", unnamed]);
    expect(status).to.equal(0);
    expect(stdout)
      .to.match(/\n +names +not said: --names tells which tensor is which\n/)
      .and.match(/\n +data +264 B in 12 tensors of 3 parameters\n/)
      .and.match(/\n1\.exp_avg +F32 +\[5\]/);
    expect((await cli(["inspect", unnamed, "--names", "a,b,c"])).stdout)
      .to.match(/\nb\.exp_avg +F32 +\[5\]/)
      .and.not.contain("not said");
    expect(await cliJson("verify", unnamed)).to.include({ format: "torch", whole: true, tensors: 12 });
  });

  it("are converted with names, of which there are as many as parameters", async () => {
    const convert = (...args: string[]) => cli(["convert", unnamed, file("x.safetensors"), ...args]);
    for (const [args, problem] of [
      [[], "no names for its 3 parameters: give --names a,b,c"],
      [["--names", "a,b"], "it has 3 parameters, and 2 names are given"],
      [["--names", "a,,c"], 'different names, such as a,b,c, for --names but received "a,,c"'],
      [["--names", "a,b,a"], 'received "a,b,a"'],
    ] as const) {
      const { status, stdout, stderr } = await convert(...args);
      expect({ status, stdout }).to.deep.equal({ status: 2, stdout: "" });
      expect(stderr).to.contain(problem).and.not.contain("names: [");
    }
    expect((await convert("--names", "a,b,c")).status).to.equal(0);
    expect((await cli(["inspect", file("x.safetensors")])).stdout).to.match(/\nc\.exp_avg +F32/);
  });

  it("keep the settings of their parameter groups where the other format has a place for them, or are refused", async () => {
    const groups = fixture("groups.pt");
    const written = "groups: written as the settings of each parameter";
    expect(await cliJson("convert", groups, file("g.pt"))).to.deep.include({ leftOut: [written] });
    expect(
      await cliJson("convert", groups, file("g.safetensors"), "--rename", "dense.bias=dense/bias"),
    ).to.deep.include({ leftOut: [] });
    for (const [path, names] of [
      [file("g.pt"), "dense\\.bias|scale"],
      [file("g.safetensors"), "dense/bias|scale"],
    ] as const) {
      const { learningRate, optimizer } = await cliJson<{
        learningRate: number;
        optimizer: { config: object };
      }>("inspect", path);
      expect(learningRate, path).to.equal(0.01);
      const settings = { weight_decay: 0, beta_2: 0.95, epsilon: 1e-5, learning_rate_multiplier: 5 };
      const group = { match: { source: `^(?:${names})$`, flags: "" }, ...settings };
      expect(optimizer.config, path).to.deep.include({ weight_decay: 0.02, groups: [group] });
    }
    const { status, stderr } = await cli(["convert", groups, file("g/model.json")]);
    expect(status).to.equal(2);
    expect(stderr).to.contain("the same settings for all parameters").and.contain("2 different ones");
    const mixed = await cli(["convert", fixture("mixed.pt"), file("m.safetensors")]);
    expect(mixed.status).to.equal(1);
    expect(mixed.stderr).to.contain("its parameter groups differ in amsgrad");
  });
});
