import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { judgePairs, judgeRuns } from "../../lib/cli/bench/judge.js";
import type { BenchDocument, BenchRow } from "../../lib/cli/bench/result.js";
import { describeMachine } from "../../lib/cli/machine.js";
import { randomWords, unit } from "../../lib/cli/random.js";
import { temporaryFolder } from "../temporary.js";
import { cli } from "./cli.js";

const words = randomWords(11);
/** Around `seconds`, with `noise` as a share of it. */
function samples(seconds: number, noise = 0.03, count = 40): number[] {
  return Array.from({ length: count }, () => seconds * (1 + noise * unit(words())));
}

function row(name: string, own: number[], stream: number[] = []): BenchRow {
  const subject = {
    name,
    device: "cpu:avx2",
    model: "",
    threads: 2,
    graph: false,
    dtype: "float32",
    options: "default",
  } as const;
  const size = { work: "1e6", parameters: 1e6, tensors: 1, bytes: 28, streamBytes: 28, operations: 17 };
  return { ...subject, ...size, samples: own, launches: [], streamSamples: stream, checked: false };
}

function document(rows: BenchRow[], cpu = "one"): BenchDocument {
  const machine = { ...describeMachine(), cpu };
  const rest = {
    version: "0.1.0",
    command: "",
    date: "",
    streams: {},
    gpus: [],
    clocks: [],
    clocksMissing: "",
    absent: [],
    interrupted: false,
  };
  return { kind: "fused-adamw bench", ...rest, machine, rows };
}

describe("compare", () => {
  const temporary = temporaryFolder();
  const file = (name: string, content: BenchDocument | string) => {
    const path = temporary(name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  const pairs = (before: number[], after: number[]) =>
    document([row("0.0.9 in ../old", before), row("fused-adamw", after)]);

  it("sees a slowdown of 10 % through noise of 3 %", () => {
    const [judgement] = judgePairs(pairs(samples(1), samples(1.1)), 0.05);
    expect(judgement).to.include({ verdict: "slower", regression: true });
    expect(judgement!.change.estimate).to.be.closeTo(0.1, 0.03);
  });

  it("sees no difference between equals", () => {
    const [judgement] = judgePairs(pairs(samples(1), samples(1)), 0.05);
    expect(judgement).to.include({ verdict: "no difference seen", regression: false });
  });

  it("a slowdown that is allowed is no regression, and a speed-up is seen", () => {
    expect(judgePairs(pairs(samples(1), samples(1.04, 0.001)), 0.05)[0]).to.include({
      verdict: "slower",
      regression: false,
    });
    expect(judgePairs(pairs(samples(1), samples(0.8)), 0.05)[0]).to.include({ verdict: "faster", regression: false });
  });

  it("noise that falls on both of a round cancels", () => {
    const weather = samples(1, 0.5);
    const [judgement] = judgePairs(
      pairs(
        weather,
        weather.map((seconds) => seconds * 1.1),
      ),
      0.05,
    );
    expect(judgement!.change.low).to.be.closeTo(0.1, 1e-9);
  });

  it("counts every start as one value: those of some starts that differ are no difference", () => {
    // Twelve starts of five rounds; in each one build or the other has the better place, by 10 %.
    const places = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 0.9 : 1.1));
    const luck = places.flatMap((place) => new Array<number>(5).fill(place));
    const launches = new Array<number>(12).fill(5);
    const judged = (after: number[], starts: readonly number[]) => {
      const [old, own] = pairs(samples(1, 0.01, 60), after).rows;
      const rows = [old!, own!].map((one) => ({ ...one, launches: starts }));
      return judgePairs(document(rows), 0.05)[0]!;
    };
    expect(judged(luck, [])).to.include({ verdict: "slower", regression: true });
    expect(judged(luck, launches).verdict).to.equal("no difference seen");
    expect(judged(samples(1.2, 0.01, 60), launches)).to.include({ verdict: "slower", regression: true });
    expect(judged(samples(1.2, 0.01, 60), [30, 30]).verdict).to.equal("too few samples");
  });

  it("says when there are too few samples to judge", () => {
    expect(judgePairs(pairs(samples(1, 0, 3), samples(2, 0, 3)), 0.05)[0]).to.include({
      verdict: "too few samples",
      regression: false,
    });
  });

  it("compares two runs by their in-place streams: a machine half as fast is no regression", () => {
    const before = document([row("fused-adamw", samples(1), samples(1))]);
    const slowMachine = document([row("fused-adamw", samples(2), samples(2))], "another");
    expect(judgeRuns(before, slowMachine, 0.05)[0]!.regression).to.equal(false);
    const slowStep = document([row("fused-adamw", samples(2.4), samples(2))], "another");
    expect(judgeRuns(before, slowStep, 0.05)[0]).to.include({ verdict: "slower", regression: true });
  });

  it("ends with 1 on a regression and prints markdown into a pipe", async () => {
    const path = file("slower.json", pairs(samples(1), samples(1.2)));
    const { status, stdout, stderr } = await cli(["compare", path]);
    expect({ status, stderr }).to.deep.equal({ status: 1, stderr: "" });
    expect(stdout).to.match(/^\| 1e6 \| cpu:avx2 \| 2 \| default \| \+\d+ % \| .* \| SLOWER \|$/m);
    expect(stdout).to.contain("1 of 1 became slower by more than 5 %. Compared: alternating rounds of one run.");
    expect((await cli(["compare", path, "--fail-over", "50%"])).status).to.equal(0);
  });

  it("says when the samples leave a slowdown possible", async () => {
    const { status, stdout } = await cli(["compare", file("noisy.json", pairs(samples(1, 0.5), samples(1, 0.5)))]);
    expect(status).to.equal(0);
    expect(stdout).to.contain("No slowdown beyond 5 % was seen. 1 of 1 are too uncertain to rule one out.");
  });

  it("warns about runs of different machines and says that ratios are compared", async () => {
    const before = file("before.json", document([row("fused-adamw", samples(1), samples(1))]));
    const after = file("after.json", document([row("fused-adamw", samples(1), samples(1))], "another"));
    const { status, stdout, stderr } = await cli(["compare", before, after]);
    expect(status).to.equal(0);
    expect(stderr).to.contain("different machines").and.contain("cpu: one / another");
    expect(stdout).to.contain("fractions of each run's own in-place stream");
  });

  it("needs no addon, and reads runs of versions that knew no GPUs", async () => {
    const { gpus, clocks, ...older } = document([row("fused-adamw", samples(1), samples(1))]);
    const rows = older.rows.map(({ model, graph, ...rest }) => rest);
    const path = file("older.json", JSON.stringify({ ...older, rows }));
    const { status, stderr } = await cli(["compare", path, path], { FUSED_ADAMW_BINDING: "/nowhere" });
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
  });

  const mistakes: [what: string, args: string[], status: number, message: string][] = [
    ["a missing file", [temporary("missing.json")], 3, "missing.json"],
    ["a file of another kind", [file("other.json", "{}")], 2, "is not what `bench --format json` writes"],
    ["no JSON", [file("no.json", "no")], 2, "is not what `bench --format json` writes"],
    [
      "a run without pairs",
      [file("single.json", document([row("fused-adamw", [1])]))],
      2,
      "give the run after as a second file",
    ],
    ["an impossible share", [file("x.json", pairs([1], [1])), "--fail-over", "500%"], 2, "for --fail-over"],
  ];
  for (const [what, args, expected, message] of mistakes) {
    it(`rejects ${what}`, async () => {
      const { status, stdout, stderr } = await cli(["compare", ...args]);
      expect({ status, stdout }).to.deep.equal({ status: expected, stdout: "" });
      expect(stderr).to.contain(message);
    });
  }
});
