/** The example of the README, run as a user runs it, only shorter. */

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { readOptions, UsageError } from "../examples/mnist/options.js";
import { temporaryFolder } from "./temporary.js";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function train(...options: string[]): Promise<Outcome> {
  const args = ["--import=tsx", "examples/mnist/train.ts", ...options];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd: root }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/** What each run reports after each epoch, without the times, which nothing repeats. */
function epochs(stderr: string): string[] {
  return stderr.match(/^.*epoch.*test [\d.]+ %/gm) ?? [];
}

const labels = ["tf.train.adam", "AdamW, same settings", "AdamW, decay, cosine, clip, EMA"];

describe("the MNIST example", function () {
  this.timeout(120_000);
  const temporary = temporaryFolder();

  it("learns, agrees with tf.train.adam, and draws the curves", async () => {
    const output = temporary("new", "loss.svg");
    const { code, stdout, stderr } = await train(
      "--epochs",
      "2",
      "--train",
      "1024",
      "--batch",
      "32",
      "--output",
      output,
    );
    expect(code, stderr).to.equal(0);
    expect(stderr).not.to.include("\u001b");
    expect(epochs(stderr)).to.have.length(2 * labels.length);

    const rows = labels.map((label) => stdout.split("\n").find((line) => line.includes(`│ ${label} `)) ?? "");
    const accuracies = rows.map((row) => Number(row.match(/([\d.]+) %/)?.[1]));
    for (const accuracy of accuracies) expect(accuracy).to.be.within(75, 100);
    const losses = rows.map((row) => Number(row.match(/ (\d\.\d{4}) /)?.[1]));
    expect(losses[1]).to.be.closeTo(losses[0]!, 2e-4);
    // 64 steps are too few for rounding to be amplified.
    expect(Number(stdout.match(/([\d.e+-]+) at most/)?.[1])).to.be.below(1e-3);

    const picture = await readFile(output, "utf8");
    expect(picture).to.match(/^<svg /);
    expect(stdout).to.include("loss.svg");
    for (const label of labels) expect(picture).to.include(`>${label}</text>`);
    for (const axis of ["Epoch", "Training loss", "Test accuracy"]) expect(picture).to.include(`>${axis}`);
  });

  it("repeats itself for a seed, and on the cpu backend up to rounding", async () => {
    const short = ["--epochs", "1", "--train", "64", "--batch", "32", "--output", temporary("loss.svg")];
    const variants = [[], [], ["--seed", "2"], ["--backend", "cpu"]];
    const outcomes: Outcome[] = [];
    for (const variant of variants) outcomes.push(await train(...short, ...variant));
    for (const { code, stderr } of outcomes) expect(code, stderr).to.equal(0);
    const [first, again, otherSeed, cpu] = outcomes.map(({ stderr }) => epochs(stderr)) as [string[], ...string[][]];
    expect(again).to.deep.equal(first);
    expect(otherSeed).not.to.deep.equal(first);
    const losses = [first, cpu!].map((lines) => lines.map((line) => Number(line.match(/loss ([\d.]+)/)?.[1])));
    expect(losses[1]).to.have.length(labels.length);
    for (const [i, loss] of losses[1]!.entries()) expect(loss).to.be.closeTo(losses[0]![i]!, 2e-4);
  });

  it("explains its options", async () => {
    const { code, stdout } = await train("--help");
    expect(code).to.equal(0);
    for (const name of ["epochs", "batch", "backend", "seed", "learning-rate", "train", "output"]) {
      expect(stdout).to.include(`--${name}`);
    }
  });

  const mistakes: [option: string, value: string, message: string][] = [
    ["--epochs", "0", 'Expected an integer from 1 to 1000 for --epochs but received "0"'],
    ["--batch", "1.5", 'Expected an integer from 1 to 8000 for --batch but received "1.5"'],
    ["--backend", "webgl", 'Expected wasm or cpu for --backend but received "webgl"'],
    ["--learning-rate", "", 'Expected a number > 0 for --learning-rate but received ""'],
    ["--output", "loss.png", 'Expected a path that ends in .svg for --output but received "loss.png"'],
    ["--epoch", "1", "Unknown option '--epoch'"],
  ];
  for (const [option, value, message] of mistakes) {
    it(`refuses ${option} "${value}"`, () => {
      expect(() => readOptions([option, value])).to.throw(UsageError, message);
    });
  }

  it("shows the usage after a mistake and exits with 2", async () => {
    const { code, stdout, stderr } = await train("--epochs", "many");
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
    expect(stderr).to.match(/^Expected an integer .* for --epochs but received "many"\n\nUsage: npm start/);
  });
});
