import { expect } from "chai";
import { ownName } from "../../../lib/cli/bench/build.js";
import { byteModel } from "../../../lib/cli/bench/byte-model.js";
import type { Contestant } from "../../../lib/cli/bench/contestant.js";
import { BenchMemory } from "../../../lib/cli/bench/memory.js";
import { type BenchRow, baselineOf } from "../../../lib/cli/bench/result.js";
import { takeRounds } from "../../../lib/cli/bench/rounds.js";
import { orders, randomWords, unit } from "../../../lib/cli/random.js";
import { bootstrap, median, medianDeviation, medianInterval, quantile } from "../../../lib/cli/statistics.js";
import { parseWork } from "../../../lib/cli/work.js";

describe("statistics of samples", () => {
  it("quantiles lie between samples by interpolation", () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(quantile([0, 10], 0.99)).to.be.closeTo(9.9, 1e-12);
    expect(medianDeviation([1, 2, 3, 4, 100])).to.equal(1);
  });

  it("an interval holds the truth in about 95 of 100 runs", () => {
    const words = randomWords(5);
    const runs = Array.from({ length: 200 }, () => {
      // Uniform noise around 1: the median is 1.
      const { low, high } = bootstrap(
        (list) => median(list!),
        Array.from({ length: 30 }, () => 1 + 0.1 * unit(words())),
      );
      return low <= 1 && 1 <= high;
    });
    expect(runs.filter(Boolean).length / runs.length).to.be.within(0.88, 0.99);
  });

  it("an interval of the median by ranks holds it in at least 95 of 100 runs, however few the samples", () => {
    const words = randomWords(7);
    // Heavy tails: one sample in four is ten times as far away.
    const noise = () => unit(words()) * (words() % 4 === 0 ? 1 : 0.1);
    for (const count of [6, 9, 12]) {
      const held = Array.from({ length: 400 }, () => {
        const { low, high } = medianInterval(Array.from({ length: count }, noise));
        return low <= 0 && 0 <= high;
      });
      expect(held.filter(Boolean).length / held.length, String(count)).to.be.within(0.94, 0.99);
    }
    const twelve = [12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6];
    expect(medianInterval(twelve)).to.deep.equal({ estimate: 6.5, low: 3, high: 10 });
    const many = Array.from({ length: 5000 }, (_, i) => i + 1);
    const { low, high } = medianInterval(many);
    expect([low, 5001 - high]).to.deep.equal([2430, 2430]);
    expect(medianInterval([3, 1, 2])).to.deep.equal({ estimate: 2, low: 1, high: 3 });
  });
});

describe("the baseline of a row", () => {
  function row(name: string, device: string, options: string, work = "mlp"): BenchRow {
    const where = { device, model: device === "cuda:0" ? "PTX emulator" : "", threads: 1, graph: false };
    const size = { work, parameters: 1, tensors: 1, bytes: 28, operations: 1, dtype: "float32" } as const;
    return {
      name,
      ...where,
      ...size,
      options,
      samples: [1],
      launches: [],
      streamSamples: [],
      streamBytes: 0,
      checked: false,
    };
  }
  const names = (rows: readonly BenchRow[]) =>
    rows.map((one) => {
      const { name, device } = baselineOf(one, rows);
      return `${name} ${device}`;
    });

  it("is the same device's of the other build", () => {
    const rows = ["cpu:avx2", "cpu:scalar"].flatMap((device) => [
      row("0.0.9 in ../old", device, "default"),
      row(ownName, device, "default"),
    ]);
    const [a, b] = ["0.0.9 in ../old cpu:avx2", "0.0.9 in ../old cpu:scalar"];
    expect(names(rows)).to.deep.equal([a, a, b, b]);
  });

  it("is the first peer, for the other peers too", () => {
    const rows = [
      row(ownName, "cpu:avx2", "default"),
      row("copy", "cpu", ""),
      row("tf.train.adam", "wasm", "Adam"),
      row("PyTorch", "cpu", "AdamW"),
      row(ownName, "cpu:avx2", "default", "1e6"),
    ];
    expect(names(rows)).to.deep.equal([...new Array(4).fill("tf.train.adam wasm"), `${ownName} cpu:avx2`]);
  });

  it("is neither a copy nor an emulator where there is something else", () => {
    const rows = [row("copy", "cpu", ""), row(ownName, "cuda:0", "default"), row(ownName, "cpu:avx2", "default")];
    expect(names(rows)).to.deep.equal(new Array(3).fill(`${ownName} cpu:avx2`));
  });
});

describe("the byte model", () => {
  const models: [what: string, bytes: number, options: Parameters<typeof byteModel>[0]][] = [
    ["a step reads 4 and writes 3 streams", 28, {}],
    ["amsgrad adds one that is read and written", 36, { amsgrad: true }],
    ["a clip by norm reads the gradient once more", 32, { globalClipnorm: 1 }],
    ["the whole pipeline", 44, { globalClipnorm: 1, useEma: true, zeroGradients: true, lossScaleFactor: 16 }],
    // One update (28 + 8) and one micro-step (gradient, accumulator twice).
    ["a window of two", (36 + 12) / 2, { gradientAccumulationSteps: 2 }],
    ["whose average moves at micro-steps too", (44 + 24) / 2, { gradientAccumulationSteps: 2, useEma: true }],
    ["whose micro-steps look for spikes", (36 + 12) / 2 + 8, { gradientAccumulationSteps: 2, skipAboveNorm: 1 }],
  ];
  for (const [what, bytes, options] of models) {
    it(`${what}: ${bytes} bytes`, () => expect(byteModel(options).step).to.equal(bytes));
  }

  it("of a step that updates counts the norm's reading, as the streaming pass does", () => {
    expect(byteModel({ gradientAccumulationSteps: 2, clipnorm: 1, zeroGradients: true }).update).to.equal(
      28 + 4 + 8 + 8,
    );
  });
});

describe("orders", () => {
  it("are random ones, each followed by itself backwards", () => {
    const items = ["a", "b", "c", "d"];
    const source = orders(items, randomWords(3));
    const list = Array.from({ length: 40 }, () => source.next().value.join(""));
    for (let i = 0; i < list.length; i += 2) expect(list[i + 1]).to.equal([...list[i]!].reverse().join(""));
    expect(new Set(list).size).to.be.above(12);
    for (const order of list) expect([...order].sort()).to.deep.equal(items);
  });
});

describe("rounds", () => {
  const memory = new BenchMemory(parseWork("10"));

  function fake(name: string, log: string[], seconds: number): Contestant {
    const where = { device: "", model: "", threads: 1, graph: false } as const;
    return {
      subject: { name, ...where, dtype: "float32", options: "", bytes: 28, operations: 1 },
      window: 2,
      memory,
      run(steps) {
        log.push(`${name}${steps}`);
        return seconds * steps;
      },
      dispose() {},
    };
  }

  const { signal } = new AbortController();

  it("take every contestant's sample in another order, and take whole windows", async () => {
    const log: string[] = [];
    const contestants = [fake("a", log, 0.01), fake("b", log, 0.02)];
    const options = { warmup: 1, repetitions: 20, minTime: 0, launches: 1, flushCache: false };
    const samples = await takeRounds(contestants, options, signal, () => {});
    expect(samples.map(({ steps }) => steps)).to.deep.equal([new Array(20).fill(0.01), new Array(20).fill(0.02)]);
    expect(samples.map(({ launches }) => launches)).to.deep.equal([[], []]);
    const [calibration, rest] = [log.slice(0, 6), log.slice(6)];
    expect(calibration).to.deep.equal(["a2", "a2", "a2", "b2", "b2", "b2"]);
    expect(rest).to.have.length(42);
    // Of each two rounds one and the other begins.
    const pairs = Array.from({ length: 10 }, (_, i) => rest.slice(4 * i, 4 * i + 4).join(" "));
    for (const pair of pairs) expect(pair).to.be.oneOf(["a2 b2 b2 a2", "b2 a2 a2 b2"]);
  });

  it("take as many steps in a sample as it holds when they follow each other", async () => {
    const counts: number[] = [];
    const contestant = fake("a", [], 0);
    // A start of 1 ms and 0.1 ms for each step.
    contestant.run = (steps) => {
      counts.push(steps);
      return 0.001 + 0.0001 * steps;
    };
    const options = { warmup: 0, repetitions: 1, minTime: 0, launches: 1, flushCache: false };
    await takeRounds([contestant], options, signal, () => {});
    expect(counts).to.deep.equal([2, 2, 16, 62]);
  });

  it("go on for the time asked for, and stop when told to", async () => {
    const options = { warmup: 0, repetitions: 1, minTime: 1, launches: 1, flushCache: false };
    const [long] = await takeRounds([fake("a", [], 0.01)], options, signal, () => {});
    expect(long!.steps).to.have.length(50);
    let count = 0;
    const controller = new AbortController();
    const [stopped] = await takeRounds([fake("a", [], 0.01)], options, controller.signal, () => {
      count += 1;
      if (count === 3) controller.abort();
    });
    expect(stopped!.steps).to.have.length(3);
  });

  it("end before the first sample when they are told to while it is found out how many steps one has", async () => {
    const controller = new AbortController();
    const contestant = fake("a", [], 0.01);
    contestant.run = () => {
      controller.abort();
      return 0.01;
    };
    const options = { warmup: 0, repetitions: 1, minTime: 0, launches: 1, flushCache: false };
    const ended = await takeRounds([contestant], options, controller.signal, () => {}).catch((error: Error) => error);
    expect(ended).to.have.property("name", "AbortError");
  });

  it("start contestants with processes of their own anew, in another order, and say which samples are of which", async () => {
    const log: string[] = [];
    const contestants = ["a", "b"].map((name) => ({
      ...fake(name, [], 0.01),
      renew: async () => {
        log.push(name);
      },
      retire: async () => {
        log.push("end");
      },
    }));
    const options = { warmup: 1, repetitions: 12, minTime: 0, launches: 8, flushCache: false };
    const samples = await takeRounds(contestants, options, signal, () => {});
    for (const { launches, steps } of samples) {
      expect(launches).to.deep.equal(new Array(8).fill(5));
      expect(steps).to.have.length(40);
    }
    expect(log).to.have.length(32);
    const both = ["end end a b end end b a", "end end b a end end a b"];
    for (let i = 0; i < 32; i += 8) expect(log.slice(i, i + 8).join(" ")).to.be.oneOf(both);
  });
});
