import { chmodSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { expect } from "chai";
import { ClockWatch, parseSample } from "../../../lib/cli/bench/clocks.js";
import { describeGpus } from "../../../lib/cli/bench/gpu-report.js";
import type { BenchDocument } from "../../../lib/cli/bench/result.js";
import { temporaryFolder } from "../../temporary.js";

/** Prints one line after the other, the last for ever, as `nvidia-smi --loop-ms` does. */
const loop = (...lines: string[]) => `
  lines=(${lines.map((line) => `"${line}"`).join(" ")})
  for ((i = 0; ; i += 1)); do echo "\${lines[i < \${#lines[@]} ? i : \${#lines[@]} - 1]}"; sleep 0.05; done`;

describe("clocks of a GPU", function () {
  this.timeout(30_000);
  const path = process.env.PATH;
  const temporary = temporaryFolder();

  before(function () {
    if (process.platform !== "win32") return;
    console.log("clocks: skipped: Windows runs no shell script in place of nvidia-smi");
    this.skip();
  });

  afterEach(() => {
    process.env.PATH = path;
  });

  function fake(script: string): void {
    const file = temporary("nvidia-smi");
    writeFileSync(file, `#!/usr/bin/env bash\n${script}\n`);
    chmodSync(file, 0o755);
    process.env.PATH = `${temporary()}${delimiter}${path}`;
  }

  it("are sampled before, during and after, with what held them down in the middle", async () => {
    const line = (clock: number, held: string) => `00000000:01:00.0, ${clock}, 2619, 45, 312.5, ${held}`;
    fake(loop(line(210, "0x1"), line(1980, "0x0"), line(1400, "0x44"), line(1410, "0x4"), line(1980, "0x0")));
    const watch = await ClockWatch.start();
    const mark = watch.count - 1;
    for (let i = 0; i < 3; i += 1) expect(await watch.next()).to.equal(true);
    watch.stop();
    const record = watch.since(mark, "cuda:0", "0000:01:00.0", "mlp");
    expect(record.samples).to.be.at.least(5);
    expect(record).to.deep.include({
      processor: [210, 1980],
      memory: [2619, 2619],
      temperature: [45, 45],
      power: [312.5, 312.5],
      held: { "power cap": 2, "hardware thermal slowdown": 1 },
    });
    expect(watch.since(mark, "cuda:1", "0000:02:00.0", "mlp").samples).to.equal(0);
    expect(watch.missing).to.equal("");
  });

  it("are asked for by the older name where the newer is not known", async () => {
    fake(`
      if [[ $1 == *clocks_event_reasons* ]]; then
        echo 'Field "clocks_event_reasons.active" is not a valid field to query.'
        exit 2
      fi
      ${loop("00000000:01:00.0, 1980, 2619, [N/A], [N/A], 0x0000000000000008")}`);
    const watch = await ClockWatch.start();
    watch.stop();
    const record = watch.since(0, "cuda:0", "0000:01:00.0", "mlp");
    expect(record).to.deep.include({ temperature: null, power: null });
    expect(Object.keys(record.held)).to.deep.equal(["hardware slowdown"]);
  });

  const absences: [what: string, script: string | undefined, reason: string][] = [
    ["nvidia-smi is not there", undefined, "nvidia-smi was not found"],
    ["it fails", "echo 'NVIDIA-SMI has failed'; exit 9", "nvidia-smi: NVIDIA-SMI has failed"],
    ["it prints nothing", "exit 0", "nvidia-smi says nothing"],
  ];
  for (const [what, script, reason] of absences) {
    it(`are missing, with the reason, where ${what}`, async () => {
      if (script === undefined) process.env.PATH = "/nowhere";
      else fake(script);
      const watch = await ClockWatch.start();
      watch.stop();
      expect(watch.missing).to.equal(reason);
      expect(await watch.next()).to.equal(false);
    });
  }

  it("of lines that are no samples are none", () => {
    for (const line of ["", "No devices were found", "0, 1, 2, 3, 4, 0x0", "00000000:01:00.0, 1, 2, 3, 4"]) {
      expect(parseSample(line), line).to.equal(undefined);
    }
  });

  it("are told in one line per GPU", () => {
    const gpu = { model: "NVIDIA H100", bus: "", memory: 1, freeMemory: 1, cache: 1, runtime: 13000, driver: 13000 };
    const record = { device: "cuda:0", processor: [1400, 1980], memory: [2619, 2619], temperature: [40, 54] } as const;
    const clocks = [
      { ...record, work: "mlp", samples: 10, power: null, held: {} },
      { ...record, work: "1e9", samples: 40, power: [300, 412.4], held: { "power cap": 3 } },
    ] as const;
    const document = { gpus: [{ ...gpu, device: "cuda:0" }], clocks, clocksMissing: "" } as unknown as BenchDocument;
    expect(describeGpus(document)).to.deep.equal([
      ["cuda:0", "NVIDIA H100"],
      [
        "clocks of cuda:0",
        "1400 to 1980 MHz, 2619 MHz of the memory, 40 to 54 °C, 300 to 412 W; held down by power cap in 3 of 40 samples of 1e9",
      ],
    ]);
    const silent = { ...document, clocks: [], clocksMissing: "nvidia-smi was not found" };
    expect(describeGpus(silent)[1]).to.deep.equal(["clocks of cuda:0", "unknown: nvidia-smi was not found"]);
  });
});
