import { readFileSync } from "node:fs";
import { expect } from "chai";
import { chartsOf } from "../../../lib/cli/bench/charts.js";
import type { BenchDocument, BenchRow } from "../../../lib/cli/bench/result.js";
import { renderPage } from "../../../lib/cli/html-page.js";
import { temporaryFolder } from "../../temporary.js";
import { browse, noBrowser } from "../browser.js";
import { cli } from "../cli.js";

describe("the HTML report", () => {
  const file = temporaryFolder()("report.html");

  before(async function () {
    this.timeout(120_000);
    const args = ["bench", "mlp", "--parameters", "1e3..1e5*10", "--options", "default", "--options", "amsgrad"];
    const short = ["--min-time", "0", "--repetitions", "3", "--threads", "1", "--compare", "copy"];
    const { status, stderr } = await cli([...args, ...short, "--output", file]);
    expect(status, stderr).to.equal(0);
  });

  it("is one file that names nothing of the network", () => {
    const html = readFileSync(file, "utf8");
    const markup = html.replaceAll(/<script>.*?<\/script>/gs, "");
    expect(markup).to.not.match(/<(script|link|img)[^>]+(src|href)="(?!data:)/);
    expect(html).to.contain("--compare copy").and.contain("read gradient, parameter, momentum, velocity");
  });

  it("calls the stream a yardstick, and says which line of the roofline is which", () => {
    const html = readFileSync(file, "utf8").replaceAll(/<script>.*?<\/script>/gs, "");
    expect(html.match(/a yardstick, not a bound/g)).to.have.length.at.least(2);
    expect(html).to.contain("The solid line is the stream of the slowest work, the broken one that of the fastest");
    expect(html).to.not.match(/streaming limit|step's limit/);
  });

  it("draws the stream beside one size as a dash: a line of one point shows nothing", () => {
    const row = (parameters: number): BenchRow => ({
      ...{ name: "fused-adamw", device: "cpu", model: "", threads: 1, graph: false, dtype: "float32", options: "" },
      ...{ work: String(parameters), parameters, tensors: 1, bytes: 28, operations: 0, launches: [], checked: false },
      ...{ samples: [3e-6], streamSamples: [2e-6], streamBytes: 28 },
    });
    const looks = (...rows: BenchRow[]) => {
      const [speed] = chartsOf({ rows } as unknown as BenchDocument);
      const { series } = speed!.option as {
        series: { data: { name: string }[]; symbol: string; symbolSize: number }[];
      };
      return series
        .filter(({ data }) => data[0]?.name.startsWith("in-place stream"))
        .map(({ symbol, symbolSize, data }) => ({ symbol, symbolSize, points: data.length }));
    };
    expect(looks(row(1000))).to.deep.equal([{ symbol: "rect", symbolSize: [18, 2], points: 1 }]);
    expect(looks(row(1000), row(2000))).to.deep.equal([{ symbol: "none", symbolSize: 9, points: 2 }]);
  });

  it("escapes what comes from the command line", () => {
    const text = '</script><b title="x">';
    const page = {
      title: text,
      subtitle: text,
      facts: [[text, text]],
      notes: [],
      table: { head: [], rows: [] },
    } as const;
    const html = renderPage({ ...page, charts: [{ id: "a", title: text, caption: text, option: { text } }] });
    expect(html).to.not.contain(text).and.not.contain("<b title");
  });

  describe("in Chromium", () => {
    before(function () {
      if (noBrowser === undefined) return;
      console.log(`HTML report in a browser: skipped: ${noBrowser}`);
      this.skip();
    });

    it("draws a mark for every row in each chart, without an error or a request", async function () {
      this.timeout(300_000);
      const complaints = await browse(file, async (page) => {
        for (const id of ["speed", "time", "roofline"]) {
          const marks = page.locator(`#${id} svg path[fill="#0072b2"], #${id} svg path[stroke="#0072b2"]`);
          await marks.first().waitFor({ state: "attached" });
          // One for each of the four rows of the first series.
          expect(await marks.count(), id).to.be.at.least(4);
        }
        const legend = await page.locator("#speed svg text").allTextContents();
        for (const name of ["fused-adamw, default", "fused-adamw, amsgrad", "copy", "in-place stream"]) {
          expect(legend).to.contain(name);
        }
        // Both sets of options have a stream of their own.
        for (const colour of ["#0072b2", "#d55e00"]) {
          expect(await page.locator(`#speed svg path[stroke="${colour}"][stroke-dasharray]`).count(), colour).to.equal(
            1,
          );
        }
        expect(await page.locator("tbody tr").count()).to.equal(12);
      });
      expect(complaints).to.deep.equal([]);
    });

    it("fits a phone", async function () {
      this.timeout(300_000);
      await browse(file, async (page) => {
        await page.setViewportSize({ width: 390, height: 800 });
        // The charts follow the window when they are told of it.
        await page.waitForFunction("document.documentElement.scrollWidth === 390");
        // The whole legend is within the chart: nobody can turn pages on paper.
        const chart = (await page.locator("#speed").boundingBox())!;
        for (const name of ["fused-adamw, default", "fused-adamw, amsgrad", "copy", "in-place stream"]) {
          const { y, height } = (await page.locator("#speed svg text", { hasText: name }).boundingBox())!;
          expect(y, name).to.be.above(chart.y + 300);
          expect(y + height, name).to.be.at.most(chart.y + chart.height);
        }
      });
    });
  });
});
