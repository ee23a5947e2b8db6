import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { sparkline } from "../../lib/cli/sparkline.js";
import { emaMomentumFor } from "../../lib/cli/train/contenders.js";
import { asHtml } from "../../lib/cli/train/html-report.js";
import type { Run } from "../../lib/cli/train/run.js";
import { temporaryFolder } from "../temporary.js";
import { browse, noBrowser } from "./browser.js";
import { cli, cliInTerminal, controlC, isGivenBack, longestLine, noTerminal } from "./cli.js";

describe("train", function () {
  this.timeout(300_000);
  const html = temporaryFolder()("train.html");
  const short = ["--epochs", "2", "--digits", "512", "--batch", "32"];

  it("learns with every optimizer, on the device asked for, and writes the curves", async () => {
    const { status, stdout, stderr } = await cli([
      "train",
      ...short,
      "--device",
      "cpu:scalar",
      "--html",
      html,
      "--json",
    ]);
    expect(status, stderr).to.equal(0);
    const { runs } = JSON.parse(stdout) as { runs: Run[] };
    expect(runs.map(({ device }) => device)).to.deep.equal(["wasm", "cpu:scalar", "cpu:scalar"]);
    for (const { losses, accuracies } of runs) {
      expect(losses).to.have.length(32);
      expect(losses.at(-1)).to.be.below(losses[0]! / 2);
      expect(accuracies.at(-1)).to.be.above(0.6);
    }
    expect(readFileSync(html, "utf8")).to.contain("Training loss").and.contain("--device cpu:scalar");
  });

  it("a run of few steps is told by an average that has forgotten the untrained weights", async () => {
    for (const steps of [1, 4, 8, 32, 500, 1e6]) {
      const momentum = emaMomentumFor(steps);
      expect(momentum).to.be.within(0, 0.99);
      expect(momentum ** steps, `${steps} steps`).to.be.below(0.01);
    }
    expect(emaMomentumFor(500)).to.equal(0.99);
    const few = ["--epochs", "1", "--digits", "500", "--optimizer", "same,adamw"];
    const { stdout } = await cli(["train", ...few, "--json"]);
    const [same, averaged] = (JSON.parse(stdout) as { runs: Run[] }).runs;
    expect([same!.emaMomentum, averaged!.emaMomentum]).to.deep.equal([null, emaMomentumFor(8)]);
    expect(averaged!.accuracies.at(-1)).to.be.above(same!.accuracies.at(-1)! - 0.1);
  });

  it("the page's axes end with the last epoch, at whole ones", async () => {
    const runOf = (steps: number): Run => ({
      ...{ label: "a", device: "cpu", stepsPerEpoch: 2, accuracies: [0.5], emaMomentum: 0.5, seconds: 1 },
      ...{ losses: new Array<number>(steps).fill(1), optimizerTimes: new Array<number>(steps).fill(1) },
    });
    for (const [steps, max, interval] of [
      [1, 1, 1],
      [7, 4, 1],
      [26, 13, 2],
    ] as const) {
      const page = asHtml([runOf(steps)], [], "", "");
      expect(page.split(`"min":0,"max":${max},"interval":${interval},`)).to.have.length(3);
      expect(page).to.contain("of &quot;a&quot; with the moving average of the weights (momentum 0.5)");
    }
  });

  it("the page draws a curve per run, without an error or a request", async function () {
    if (noBrowser !== undefined || !existsSync(html)) {
      console.log(`train in a browser: skipped: ${noBrowser ?? "there is no page"}`);
      this.skip();
    }
    const complaints = await browse(html, async (page) => {
      for (const id of ["loss", "accuracy"]) {
        for (const colour of ["#9ccbe8", "#0b3c5d", "#d55e00"]) {
          await page.locator(`#${id} svg path[stroke="${colour}"]`).first().waitFor({ state: "attached" });
        }
      }
    });
    expect(complaints).to.deep.equal([]);
  });

  it("trains with one optimizer alone and prints its curve", async () => {
    const { status, stdout, stderr } = await cli(["train", "--optimizer", "adamw", ...short]);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/AdamW, decay, cosine, clip, EMA +cpu:\S+ +[▁-█]{16} +\d\.\d{4} +[\d.]+ %/);
    expect(stdout)
      .to.contain('EMA" with the moving average of the weights (momentum 0.844).')
      .and.contain("median ms/step")
      .and.not.contain("tf.train.adam")
      // There is nothing to be faster than.
      .and.not.contain("faster");
  });

  it("shows the curve while it trains", async function () {
    if (noTerminal !== undefined) {
      console.log(`terminal: skipped: ${noTerminal}`);
      this.skip();
    }
    const { screen } = await cliInTerminal(["train", "--optimizer", "same", ...short], 130);
    expect(screen).to.match(/█.* [▁-█]{8,12} +epoch 2\/2/);
  });

  it("fits 40 columns, and Ctrl-C prints what was trained", async function () {
    if (noTerminal !== undefined) {
      console.log(`terminal: skipped: ${noTerminal}`);
      this.skip();
    }
    const args = ["train", "--optimizer", "adamw", "--epochs", "1000"];
    const { status, screen } = await cliInTerminal(args, 40, {}, { when: /epoch +1\//, keys: controlC });
    expect(status, screen).to.equal(130);
    expect(screen)
      .to.contain("Interrupted")
      .and.match(/loss curve +[▁-█]/);
    expect(longestLine(screen.split("\n").slice(-12).join("\n"))).to.be.at.most(40);
    expect(isGivenBack(screen)).to.equal(true);
  });

  const mistakes: [what: string, args: string[], status: number, message: string][] = [
    ["an unknown optimizer", ["--optimizer", "sgd"], 2, 'tfjs, same, adamw for --optimizer but received "sgd"\n'],
    ["Adam by its name elsewhere", ["--optimizer", "adam"], 2, "did you mean tfjs, which is tf.train.adam?"],
    ["a misspelt optimizer", ["--optimizer", "adamv"], 2, "did you mean adamw?"],
    ["an unknown device", ["--device", "gpu"], 2, "for --device"],
    ["more digits than there are", ["--digits", "9000"], 2, "from 10 to 8000"],
    ["an unknown backend", ["--backend", "webgl"], 2, "wasm, cpu"],
    ["no epochs", ["--epochs", "0"], 2, "whole number ≥ 1 for --epochs"],
    ["a batch of more digits than there are", ["--batch", "600", "--digits", "512"], 2, "from 1 to 512"],
  ];
  for (const [what, args, expected, message] of mistakes) {
    it(`rejects ${what}`, async () => {
      const { status, stdout, stderr } = await cli(["train", ...args]);
      expect({ status, stdout }).to.deep.equal({ status: expected, stdout: "" });
      expect(stderr).to.contain(message);
    });
  }

  it("a curve of one line goes from the lowest to the highest", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).to.equal("▁▂▃▄▅▆▇█");
    expect(sparkline([8, 8, 0, 0], 2)).to.equal("█▁");
    expect(sparkline([1, 1], 8)).to.equal("▁▁");
    expect(sparkline([], 8)).to.equal("");
  });
});
