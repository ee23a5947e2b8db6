import { dirname } from "node:path";
import { expect } from "chai";
import { commands } from "../../lib/cli/commands.js";
import { packageVersion } from "../../lib/cli/package.js";
import { cli, cliInTerminal, cliWithClosedPipe, hasEscapes, longestLine, noTerminal } from "./cli.js";

describe("the command line", () => {
  it("without arguments prints the help with every command", async () => {
    const { status, stdout, stderr } = await cli([]);
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    for (const { name, summary } of commands) expect(stdout).to.contain(name).and.contain(summary.split(" ")[0]);
  });

  it("prints its version", async () => {
    expect(await cli(["--version"])).to.deep.equal({ status: 0, stdout: `${packageVersion}\n`, stderr: "" });
  });

  for (const { name } of commands) {
    it(`${name} --help says what it does and that it has --json`, async () => {
      const { status, stdout } = await cli([name, "--help"]);
      expect(status).to.equal(0);
      expect(stdout).to.contain(`Usage: fused-adamw ${name}`).and.contain("--json");
    });
  }

  it("an unknown command ends with 2, suggests the nearest, and leaves stdout empty", async () => {
    const { status, stdout, stderr } = await cli(["plam"]);
    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: "" });
    expect(stderr).to.contain("unknown command 'plam'").and.contain("Did you mean plan?");
  });

  it("an unknown option ends with 2", async () => {
    const { status, stderr } = await cli(["devices", "--jsn"]);
    expect(status).to.equal(2);
    expect(stderr).to.contain("--jsn").and.contain("Did you mean --json?");
  });

  it("with --json an error is one JSON object on stderr", async () => {
    const { status, stdout, stderr } = await cli(["plan", "gpt3-124m", "--json"]);
    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: "" });
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    expect(error.code).to.equal("USAGE");
    expect(error.message).to.contain("did you mean gpt2-124m?");
  });

  it("an addon that cannot be loaded ends with 3 and says what to do", async () => {
    const { status, stdout, stderr } = await cli(["devices"], { FUSED_ADAMW_BINDING: import.meta.filename });
    expect({ status, stdout }).to.deep.equal({ status: 3, stdout: "" });
    expect(stderr)
      .to.contain(import.meta.filename)
      .and.contain("npx fused-adamw build");
  });

  it("a pipe closed by its reader is no error", async () => {
    expect(await cliWithClosedPipe(["plan", "mlp"])).to.deep.equal({ status: 0, stdout: "", stderr: "" });
  });

  it("writes no colours into a pipe", async () => {
    expect(hasEscapes((await cli(["devices"])).stdout)).to.equal(false);
  });

  it("build brings the addon up to date, and says what the build said when it fails", async function () {
    this.timeout(600_000);
    const { status, stdout } = await cli(["build", "--json"]);
    expect({ status, ...JSON.parse(stdout) }).to.deep.equal({ status: 0, built: true });
    const failed = await cli(["build"], { npm_config_nodedir: "/nowhere", PATH: dirname(process.execPath) });
    expect({ status: failed.status, stdout: failed.stdout }).to.deep.equal({ status: 3, stdout: "" });
    expect(failed.stderr).to.contain("failed: see above");
  });

  describe("in a terminal", () => {
    before(function () {
      if (noTerminal === undefined) return;
      console.log(`terminal: skipped: ${noTerminal}`);
      this.skip();
    });

    it("shows colours", async () => {
      expect(hasEscapes((await cliInTerminal(["devices"])).screen)).to.equal(true);
    });

    it("shows none when NO_COLOR is set", async () => {
      expect(hasEscapes((await cliInTerminal(["devices"], 80, { NO_COLOR: "1" })).screen)).to.equal(false);
    });

    for (const args of [
      ["devices"],
      ["plan", "gpt2-124m", "--options", "amsgrad,useEma"],
      ["doctor"],
      ["plan", "--help"],
    ]) {
      it(`${args.join(" ")} fits into 40 columns`, async () => {
        const { status, screen } = await cliInTerminal(args, 40);
        expect(status).to.equal(0);
        // An example is one line, to be copied.
        expect(longestLine(screen.replaceAll(/^ {2}fused-adamw .*$/gm, ""))).to.be.at.most(40);
      });
    }
  });
});
