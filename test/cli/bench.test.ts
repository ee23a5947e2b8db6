import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Judgement } from "../../lib/cli/bench/judge.js";
import type { BenchDocument, BenchRow, RowSummary } from "../../lib/cli/bench/result.js";
import { packageVersion } from "../../lib/cli/package.js";
import { devices } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { cli, cliInTerminal, cliJson, longestLine, noTerminal, withoutEscapes } from "./cli.js";

/** Few samples of little work: the numbers mean nothing here, their form does. */
const short = ["--min-time", "0", "--repetitions", "3", "--warmup", "0", "--threads", "1"];
const file = temporaryFolder();

type Summarized = BenchRow & { readonly summary: RowSummary };

describe("bench", () => {
  it("measures every size with every device and set of options, in the order asked for", async () => {
    const { rows, kind } = await cliJson<BenchDocument>(
      ...["bench", "--parameters", "1e3..1e4*10", "--devices", "cpu:scalar,auto", ...short],
      ...["--options", "default", "--options", "amsgrad,useEma"],
    );
    expect(kind).to.equal("fused-adamw bench");
    const best = devices().find(({ available }) => available)!.name;
    const expected = ["1 k", "10 k"].flatMap((work) =>
      [...new Set(["cpu:scalar", best])].flatMap((device) =>
        ["default", "amsgrad,useEma"].map((options) => ({ work, device, options })),
      ),
    );
    expect(rows.map(({ work, device, options }) => ({ work, device, options }))).to.deep.equal(expected);
    for (const row of rows) {
      expect(row.samples).to.have.length.at.least(3);
      expect(row.streamSamples).to.have.length(row.samples.length);
      for (const seconds of [...row.samples, ...row.streamSamples]) expect(seconds).to.be.above(0);
    }
  });

  it("checks results against float64 before timing, for all that a step can do", async () => {
    const sets = [
      "formula=torch,maximize",
      "globalClipnorm=0.5,useEma,emaOverwriteFrequency=2,zeroGradients",
      "gradientAccumulationSteps=2,clipnorm=0.01,amsgrad,useEma",
      "clipvalue=0.001,lossScaleFactor=8",
      'groups=[{"match":"0/*","weightDecay":0,"learningRateMultiplier":0.5},{"match":"mlp/1/*","frozen":true,"optional":true}]',
    ];
    const options = sets.flatMap((set) => ["--options", set.replace('"0/*"', '"mlp/0/*"')]);
    const { rows } = await cliJson<BenchDocument>("bench", "mlp", "--check", "--devices", "all", ...short, ...options);
    expect(rows).to.have.length(sets.length * devices().filter(({ available }) => available).length);
    expect(rows.every(({ checked }) => checked)).to.equal(true);
  });

  it("writes a line of CSV, a line of JSON or a line of a table per row", async () => {
    const run = (format: string) => cli(["bench", "1e3", "200x10", "--format", format, ...short]);
    const csv = (await run("csv")).stdout.trimEnd().split("\n");
    expect(csv).to.have.length(3);
    expect(csv[0])
      .to.match(/^work,parameters,/)
      .and.contain(",ofStream,");
    const jsonl = (await run("jsonl")).stdout.trimEnd().split("\n");
    expect(jsonl.map((line) => (JSON.parse(line) as { work: string }).work)).to.deep.equal(["1e3", "200x10"]);
    const markdown = await run("markdown");
    expect(markdown.stdout)
      .to.match(/^\| 200x10 \|/m)
      .and.contain("of stream");
    expect(markdown.stderr).to.contain("200x10 …");
  });

  it("names the streams behind the bytes per parameter", async () => {
    const { stdout } = await cli(["bench", "1e3", "--pipeline", "full", ...short]);
    expect(stdout).to.contain("read gradient for the norm, gradient, parameter, momentum, velocity, average;");
    expect(stdout).to.contain("- B/param: 44");
  });

  it("sets a copy beside a step, and reports what is not installed", async () => {
    const { status, stdout, stderr } = await cli([
      ...["bench", "1e3", "--compare", "copy,torch", "--python", "/nowhere/python"],
      ...short,
    ]);
    expect(status).to.equal(0);
    expect(stdout)
      .to.match(/\| copy \|/)
      .and.contain("torch is absent")
      // A copy is no step.
      .and.not.contain("speed-up");
    expect(stderr).to.contain("warning: torch is absent: PyTorch did not answer");
  });

  it("measures TensorFlow.js where it is installed", async () => {
    const args = ["bench", "1e3", "--compare", "copy,tfjs", ...short];
    const { rows, absent } = await cliJson<{ rows: Summarized[]; absent: unknown[] }>(...args);
    expect(absent).to.deep.equal([]);
    expect(rows[2]!.name).to.match(/^tf\.train\.adam \d/);
    const [step, copy, tfjs] = rows.map(({ summary }) => summary.speedup);
    expect(step).to.be.above(0);
    // A copy is no step.
    expect([copy, tfjs]).to.deep.equal([null, 1]);
  });

  it("measures with empty caches", async () => {
    const { rows } = await cliJson<BenchDocument>("bench", "1e4", "--flush-cache", ...short);
    expect(rows[0]!.samples).to.have.length(3);
  });

  it("takes turns with another build, and compare judges the pairs", async function () {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    if (!existsSync(join(root, "dist/index.js"))) {
      console.log("bench --against: skipped: dist/ is not built (npm run build:ts)");
      this.skip();
    }
    const pairs = file("pairs.json");
    const rounds = ["--min-time", "0", "--launches", "6", "--repetitions", "12", "--threads", "1", "--format", "json"];
    expect((await cli(["bench", "1e4", "--against", root, ...rounds, "--output", pairs])).status).to.equal(0);
    const { rows } = JSON.parse(readFileSync(pairs, "utf8")) as BenchDocument;
    expect(rows.map(({ name }) => name)).to.deep.equal([`${packageVersion} in ${root}`, "fused-adamw"]);
    expect(rows.map(({ samples }) => samples.length)).to.deep.equal([30, 30]);
    expect(rows.map(({ launches }) => launches)).to.deep.equal([new Array(6).fill(5), new Array(6).fill(5)]);
    const { judgements } = await cliJson<{ judgements: Judgement[] }>("compare", pairs, "--fail-over", "99%");
    expect(judgements).to.have.length(1);
    expect(judgements[0]!.verdict).to.not.equal("too few samples");
  });

  describe("in a terminal", () => {
    before(function () {
      if (noTerminal === undefined) return;
      console.log(`terminal: skipped: ${noTerminal}`);
      this.skip();
    });

    for (const width of [80, 40]) {
      it(`shows the progress and then a table within ${width} columns`, async () => {
        const args = ["bench", "1e4", "mlp", "--min-time", "0.3", "--repetitions", "3", "--threads", "1"];
        const { status, screen } = await cliInTerminal(args, width);
        expect(status).to.equal(0);
        expect(screen).to.contain("█");
        const table = withoutEscapes(screen).split("\n").slice(-30).join("\n");
        expect(table).to.contain("of stream");
        expect(longestLine(table.replaceAll(/^.*[█░].*$/gm, ""))).to.be.at.most(width);
      });
    }
  });

  const mistakes: [what: string, args: string[], status: number, message: string][] = [
    ["an unknown device", ["--devices", "cpu:avx3"], 2, "did you mean cpu:avx2?"],
    ["a GPU that is not here", ["--devices", "cuda:7"], 3, '"cuda:7" is not available here:\n  cuda'],
    ["an unknown model", ["gpt2-124n"], 2, "did you mean gpt2-124m?"],
    ["a precision that is not built", ["--precision", "bfloat16"], 2, "float32"],
    ["an unknown peer", ["--compare", "jax"], 2, "copy, tfjs, torch"],
    ["an unknown pipeline", ["--pipeline", "half"], 2, "step, full"],
    ["an unknown format", ["--format", "pdf"], 2, "html"],
    ["a file of an unknown format", ["--output", "x.pdf"], 2, ".html or .htm, or --format for any other"],
    ["no samples", ["--repetitions", "0"], 2, "whole number ≥ 1 for --repetitions"],
    ["a size that is none", ["--parameters", "0"], 2, "such as 1000000, 1e6 or 124M for --parameters"],
    ["a negative time", ["--min-time", "-1"], 2, "seconds ≥ 0"],
    ["an impossible size", ["1e14"], 3, "PiB of memory, and"],
    ["no threads", ["--threads", "0"], 2, "whole number ≥ 1 for --threads"],
    ["a folder without a build", ["--against", file()], 2, "a build of fused-adamw"],
    ["peers beside two builds", ["--against", ".", "--compare", "copy"], 2, "only steps of the two builds"],
    ["a graph without a GPU", ["1e3", "--graph", "--devices", "cpu"], 2, "on a GPU"],
    ["two formats", ["--format", "csv", "--json"], 2, "Give --json or --format csv, not both"],
    ["a file of another format", ["--format", "csv", "--output", "x.html"], 2, "contradicts --output x.html"],
    [
      "an unknown option of the optimizer",
      ["--options", "foo"],
      2,
      "in the options: expected name, learningRate, weightDecay,",
    ],
    ["an option that bench has not", ["--treads", "1"], 2, "See fused-adamw bench --help"],
    ["a file that cannot be written", ["1e3", "--output", file("missing/x.md"), ...short], 3, file("missing")],
  ];
  for (const [what, args, expected, message] of mistakes) {
    it(`rejects ${what}`, async () => {
      const { status, stdout, stderr } = await cli(["bench", ...args]);
      expect({ status, stdout }).to.deep.equal({ status: expected, stdout: "" });
      expect(stderr).to.contain(message);
    });
  }

  it("writes to a file, in the format of its extension", async () => {
    const csv = file("bench.csv");
    const { status, stdout, stderr } = await cli(["bench", "1e3", "--output", csv, ...short]);
    expect({ status, stdout }).to.deep.equal({ status: 0, stdout: "" });
    expect(stderr).to.contain(`Written to ${csv}`);
    expect(readFileSync(csv, "utf8")).to.match(/^work,parameters,.*\n1e3,/);
  });
});
