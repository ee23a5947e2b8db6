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
});
