import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { temporaryFolder } from "../temporary.js";
import { cli, cliInTerminal, command, controlC, isGivenBack, noTerminal, type Outcome, withoutEscapes } from "./cli.js";

/** A benchmark that does not end by itself; `press` is called when it has begun with the work, the first of `args`. */
async function interrupted(args: readonly [string, ...string[]], press: (kill: () => void) => void): Promise<Outcome> {
  const [program = "", ...first] = command;
  const child = spawn(program, [...first, "bench", ...args, "--min-time", "600", "--threads", "1"]);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  const begun = `${args[0]} …`;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (!stderr.includes(begun) && text.includes(begun)) press(() => child.kill("SIGINT"));
    stderr += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

describe("Ctrl-C in bench", () => {
  const file = temporaryFolder();

  it("prints what is finished and ends with 130", async () => {
    // By then the handler is there; some samples later there is something to print.
    const press = (kill: () => void) => setTimeout(kill, 3000);
    const { status, stdout } = await interrupted(["1e3"], press);
    expect(status).to.equal(130);
    expect(stdout)
      .to.contain("interrupted")
      .and.match(/^\| 1e3 \|/m);
  });

  for (const args of [[], ["--check"], ["--compare", "copy,torch"]]) {
    it(`ends with 130 and no table while work is prepared: ${args.join(" ")}`, async () => {
      const { status, stdout, stderr } = await interrupted(["2e7", ...args], (kill) => kill());
      expect({ status, stdout }).to.deep.equal({ status: 130, stdout: "" });
      expect(stderr).to.contain("Interrupted: nothing was finished").and.not.contain("absent");
    });
  }

  it("ends other processes that do not answer: a Python, another build", async function () {
    if (process.platform === "win32") {
      console.log("bench, Ctrl-C: skipped: Windows has no SIGINT to send to another process, and runs no shell script");
      this.skip();
    }
    const python = file("python");
    writeFileSync(python, "#!/bin/sh\nkill -INT $PPID\nexec sleep 1000\n", { mode: 0o755 });
    const build = file("build");
    mkdirSync(join(build, "dist"), { recursive: true });
    writeFileSync(join(build, "package.json"), '{ "name": "fused-adamw", "version": "0.0.9", "type": "module" }');
    const waits = 'process.kill(process.ppid, "SIGINT");\nsetInterval(() => {}, 1e6);\nawait new Promise(() => {});\n';
    writeFileSync(join(build, "dist/index.js"), waits);
    for (const args of [
      ["--compare", "torch", "--python", python],
      ["--against", build],
    ]) {
      const { status, stdout, stderr } = await cli(["bench", "1e3", "--threads", "1", ...args]);
      expect({ status, stdout }, args[0]).to.deep.equal({ status: 130, stdout: "" });
      expect(stderr, args[0]).to.contain("nothing was finished").and.not.contain("absent");
    }
  });

  describe("in a terminal", () => {
    before(function () {
      if (noTerminal === undefined) return;
      console.log(`terminal: skipped: ${noTerminal}`);
      this.skip();
    });

    const root = fileURLToPath(new URL("../..", import.meta.url));
    const others: [what: string, args: string[]][] = [
      ["alone", []],
      ["with another process, which the keys reach too", ["--against", root]],
    ];
    for (const [what, args] of others) {
      it(`prints what is finished and gives the terminal back: ${what}`, async function () {
        if (args.length > 0 && !existsSync(join(root, "dist/index.js"))) {
          console.log("bench --against: skipped: dist/ is not built (npm run build:ts)");
          this.skip();
        }
        const { status, screen } = await cliInTerminal(
          ["bench", "1e3", "--threads", "1", "--min-time", "60", ...args],
          80,
          {},
          { when: / left /, keys: controlC },
        );
        expect(status, screen).to.equal(130);
        expect(withoutEscapes(screen))
          .to.contain("not everything was measured")
          .and.match(/^1e3 .* %/m);
        expect(isGivenBack(screen)).to.equal(true);
      });
    }
  });
});
