import { readFileSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW, AdamWError, CheckpointError, LossScaleOptimizer, schedules } from "../../lib/index.js";
import { ByteFile, ByteMemory } from "../../lib/state/byte-file.js";
import { checkH5Length } from "../../lib/state/h5-length.js";
import { H5Process } from "../../lib/state/h5-process.js";
import { innerGroup, ownGroup } from "../../lib/state/keras-layout.js";
import { readZip } from "../../lib/state/zip-reader.js";
import { writeZip } from "../../lib/state/zip-writer.js";
import { Dice, damage, fuzzRuns } from "./mutations.js";
import { rejectsLater } from "./rejects-later.js";
import { temporaryFolder } from "./temporary.js";

interface Expected {
  readonly saved: readonly number[][];
  readonly state: readonly number[][];
  readonly end: readonly number[][];
}

const fixture = (name: string) => fileURLToPath(new URL(`keras/${name}`, import.meta.url));
const { names, cases } = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as {
  names: string[];
  cases: Record<string, Expected>;
};
const shapes = [[3, 4], [4], [4, 2], [2]];

/** The optimizers of record.py. */
const optimizers: Readonly<Record<string, () => AdamW | LossScaleOptimizer>> = {
  plain: () => new AdamW({ learningRate: 0.01 }),
  everything: () =>
    new AdamW({ learningRate: 0.01, useEma: true, amsgrad: true, gradientAccumulationSteps: 2, beta1: 0.8 }),
  schedule: () => {
    const initialLearningRate = 0.05;
    const learningRate = new schedules.ExponentialDecay({ initialLearningRate, decaySteps: 3, decayRate: 0.5 });
    return new AdamW({ learningRate, globalClipnorm: 0.5 });
  },
  scaled: () =>
    new LossScaleOptimizer(new AdamW({ learningRate: 0.01, amsgrad: true }), {
      initialScale: 64,
      dynamicGrowthSteps: 3,
    }),
  adam: () => new AdamW({ learningRate: 0.01, weightDecay: 0 }),
};

/** With the variables of those, but for a loss scaler's, and other options. */
const others: typeof optimizers = {
  torch: () => new AdamW({ learningRate: 0.01, formula: "torch" }),
  beyond: () =>
    new AdamW({
      learningRate: 0.01,
      maximize: true,
      zeroGradients: true,
      groups: [{ match: "*/bias", learningRateMultiplier: 2 }],
    }),
  beyondScaled: () => new LossScaleOptimizer(new AdamW({ learningRate: 0.01, amsgrad: true }), { minimumScale: 1 }),
  plainScaled: () => new LossScaleOptimizer(new AdamW({ learningRate: 0.01 }), { initialScale: 16 }),
  scaledPlain: () => new AdamW({ learningRate: 0.01, amsgrad: true }),
};

function wave(i: number, seed: number): Float32Array {
  const length = (shapes[i] as number[]).reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, (_, k) => (((k * 7919 + seed * 104729 + 13) % 2003) - 1001) / 1024);
}

function make(name: string, initial = shapes.map((_, i) => [...wave(i, i)]), parameterNames = names) {
  const optimizer = ({ ...optimizers, ...others }[name] as () => AdamW)();
  const values = initial.map((value) => Float32Array.from(value));
  optimizer.build(
    parameterNames.map((path, i) => ({ name: path, shape: shapes[i] as number[], value: values[i] as Float32Array })),
  );
  const train = (from: number, to: number) => {
    for (let step = from; step < to; step += 1) optimizer.apply(shapes.map((_, i) => wave(i, step * 10 + i)));
  };
  return { optimizer, values, train };
}

const state = ({ variables }: { variables: AdamW["variables"] }) => variables.map(({ value }) => [...value]);

function close(actual: readonly (readonly number[] | Float32Array)[], expected: readonly number[][]): void {
  for (const [i, list] of expected.entries()) {
    for (const [k, b] of list.entries()) {
      const a = actual[i]?.[k] as number;
      expect(Math.abs(a - b), `${i}, ${k}: ${a}, expected ${b}`).to.be.at.most(1e-5 * Math.abs(b) + 1e-7);
    }
  }
}

describe("states of the real Keras", function () {
  // Every file starts a process, which takes seconds on a busy machine.
  this.timeout(300_000);
  const file = temporaryFolder();

  for (const [name, expected] of Object.entries(cases)) {
    for (const kind of [".keras", ".weights.h5"]) {
      it(`are taken exactly and go on as in Keras: ${name}${kind}`, async () => {
        const { optimizer, values, train } = make(name, [...expected.saved] as number[][]);
        const report = await optimizer.load(fixture(`${name}${kind}`));
        expect(report.format).to.equal("keras");
        expect(state(optimizer)).to.deep.equal(expected.state);
        train(5, 9);
        close(values, expected.end as number[][]);
      });
    }
  }

  // Each takes several processes: one kind of file for each case, every kind among them.
  const exports = ["plain.weights.h5", "everything.keras", "schedule.keras", "scaled.weights.h5", "adam.keras"];
  for (const [index, name] of Object.keys(cases).entries()) {
    const target = exports[index] as string;
    it(`go into a model that Keras saved: ${target}`, async () => {
      const path = join(process.env.FUSED_ADAMW_RECORD ?? file(), target);
      await copyFile(fixture(target), path);
      const { optimizer, train } = make(name);
      const again = make(name);
      train(0, 2);
      await optimizer.save(path);
      await again.optimizer.load(path);
      expect(again.optimizer.iterations).to.equal(optimizer.iterations);
      train(2, 5);
      await optimizer.save(path);
      await again.optimizer.load(path);
      expect(state(again.optimizer)).to.deep.equal(state(optimizer));
      close(state(again.optimizer), cases[name]?.state as number[][]);
    });
  }

  it("want names in Keras' order, and every shape to fit", async () => {
    const { optimizer } = make("plain");
    const swapped = optimizer.load(fixture("plain.keras"), { names: ["d2/kernel", "d1/bias", "d1/kernel", "d2/bias"] });
    await rejectsLater("CHECKPOINT", swapped, "d2/kernel ([3, 4] in the file, [4, 2] here)");
  });

  it("want the same options, and as many variables", async () => {
    await rejectsLater(
      "CHECKPOINT",
      make("everything").optimizer.load(fixture("plain.keras")),
      "useEma (use_ema) is",
      "beta1 (beta_1) is",
    );
    await rejectsLater(
      "CHECKPOINT",
      make("everything").optimizer.load(fixture("plain.weights.h5")),
      "10 variables where",
    );
    const few = make("plain").optimizer.load(fixture("plain.weights.h5"), { names: ["a"] });
    await rejectsLater("CHECKPOINT", few, "for 1 parameters");
    await copyFile(fixture("plain.keras"), file("other.keras"));
    await rejectsLater("CHECKPOINT", make("everything").optimizer.save(file("other.keras")), "beta1 (beta_1)");
    expect(await readFile(file("other.keras"))).to.deep.equal(await readFile(fixture("plain.keras")));
    await rejectsLater("FILE", make("plain").optimizer.save(file("none.keras")), "Keras has to save the model");
  });

  it("have a learning rate of the same kind, which a .weights.h5 says without options", async () => {
    const path = file("rate.weights.h5");
    for (const [theirs, ours, problem] of [
      ["plain", "schedule", "a number in the file and a schedule here"],
      ["schedule", "plain", "a schedule in the file and a number here"],
    ] as const) {
      await copyFile(fixture(`${theirs}.weights.h5`), path);
      const { optimizer, train } = make(ours);
      train(0, 2);
      await rejectsLater("CHECKPOINT", optimizer.save(path), "the learning rate is", problem);
      expect(await readFile(path)).to.deep.equal(await readFile(fixture(`${theirs}.weights.h5`)));
      await rejectsLater("CHECKPOINT", optimizer.load(path), `learningRate (${problem})`);
      expect(optimizer.iterations).to.equal(2);
      const partial = await optimizer.load(path, { mode: "partial" });
      expect(partial.notLoaded).to.deep.equal([{ name: "learningRate", reason: problem }]);
      const kept = await optimizer.load(path, { config: "keep" });
      expect(kept.notLoaded).to.deep.equal([]);
      expect(optimizer.iterations).to.equal(5);
    }
  });

  for (const name of ["plain.weights.h5", "plain.keras"]) {
    it(`are saved with progress, and not once the signal was given: ${name}`, async () => {
      const path = file(name);
      await copyFile(fixture(name), path);
      const { optimizer, train } = make("plain");
      train(0, 2);
      const before = await readFile(path);
      const early = new AbortController();
      const stopped = optimizer.save(path, { signal: early.signal });
      early.abort();
      await rejectsLater("ABORTED", stopped);
      const late = new AbortController();
      await rejectsLater("ABORTED", optimizer.save(path, { signal: late.signal, progress: () => late.abort() }));
      expect(await readFile(path)).to.deep.equal(before);
      const seen: { done: number; total: number }[] = [];
      const options = { parameters: true, metadata: { epoch: "3" } };
      const report = await optimizer.save(path, { ...options, progress: (progress) => seen.push(progress) });
      const place = "not part of the optimizer in Keras' files: left out";
      expect(report.leftOut).to.deep.equal([`parameters are ${place}`, `metadata is ${place}`]);
      expect(report.tensors).to.equal(3 * names.length);
      expect(seen.length).to.be.above(0);
      expect(seen.at(-1)?.done).to.equal(seen.at(-1)?.total).and.above(10_000);
      expect(await readFile(path)).to.not.deep.equal(before);
    });
  }

  /** A file of Keras' whose configuration has another optimizer. */
  async function withOptimizer(
    optimizer: (given: Record<string, unknown>) => unknown,
    name = "plain.keras",
  ): Promise<string> {
    const source = await ByteFile.open(fixture(name));
    const contents = await Promise.all(
      [...(await readZip(source)).values()].map(async ({ name, size, bytes }) => {
        const data = await bytes(size);
        if (name !== "config.json") return { name, data };
        const config = JSON.parse(data.toString());
        config.compile_config.optimizer = optimizer(config.compile_config.optimizer);
        return { name, data: Buffer.from(JSON.stringify(config)) };
      }),
    );
    await source.close();
    await writeZip(file("changed.keras"), contents, {});
    return file("changed.keras");
  }

  /** As compile() saves a mixed_float16 model: with the variables of the scaler, which the configuration does not name. */
  const withMixed = () =>
    withOptimizer(({ config }) => (config as { inner_optimizer: unknown }).inner_optimizer, "scaled.keras");

  const copied = async (name: string) => {
    await copyFile(fixture(name), file(name));
    return file(name);
  };

  it("without options are of Keras' formula", async () => {
    const path = await copied("plain.weights.h5");
    const before = await readFile(path);
    const { optimizer, train } = make("torch");
    train(0, 2);
    await rejectsLater("INVALID_ARGUMENT", optimizer.save(path), 'Expected formula "keras" for Keras\' files');
    expect(await readFile(path)).to.deep.equal(before);
    await rejectsLater("CHECKPOINT", optimizer.load(path), 'formula is "keras" in the file and "torch" here');
    expect(optimizer.iterations).to.equal(2);
    await optimizer.load(path, { config: "keep" });
    expect(optimizer.iterations).to.equal(5);
  });

  it("without options take a state whose options Keras does not have, and that is told", async () => {
    const place = "not part of the optimizer in Keras' files: left out";
    const { leftOut } = await make("beyond").optimizer.save(await copied("plain.weights.h5"));
    expect(leftOut).to.deep.equal([`maximize and groups are ${place}`]);
    const scaled = await make("beyondScaled").optimizer.save(await copied("scaled.weights.h5"));
    expect(scaled.leftOut).to.deep.equal([`minimumScale is ${place}`]);
  });

  it("have a loss scale where the optimizer has one, or are left as they are", async () => {
    const lost = "the optimizer here has a loss scale and the file has none: save the model in Keras with a Loss";
    const kept = "the file has a loss scale, as with mixed_float16, and the optimizer here has none: put it into a";
    for (const [path, ours, problem] of [
      [await copied("plain.keras"), "plainScaled", lost],
      [await copied("plain.weights.h5"), "plainScaled", lost],
      [await copied("scaled.weights.h5"), "scaledPlain", kept],
      [await withMixed(), "scaledPlain", kept],
    ] as const) {
      const before = await readFile(path);
      const { optimizer, train } = make(ours);
      train(0, 2);
      await rejectsLater("CHECKPOINT", optimizer.save(path), problem);
      expect(await readFile(path)).to.deep.equal(before);
    }
  });

  it("give a loss scale to an optimizer that has one, and say it where they cannot", async () => {
    const only = "the file has one and the optimizer none: put it into a LossScaleOptimizer";
    const none = "the optimizer has one and the file none: load into an AdamW without a LossScaleOptimizer";
    for (const [path, ours, reason] of [
      [fixture("scaled.weights.h5"), "scaledPlain", only],
      [await withMixed(), "scaledPlain", only],
      [fixture("plain.weights.h5"), "plainScaled", none],
    ] as const) {
      const { optimizer, train } = make(ours);
      train(0, 2);
      const before = state(optimizer);
      await rejectsLater("CHECKPOINT", optimizer.load(path), `lossScale (${reason})`, 'mode: "partial"');
      expect(state(optimizer)).to.deep.equal(before);
      const { notLoaded } = await optimizer.load(path, { mode: "partial" });
      expect(notLoaded).to.deep.equal([{ name: "lossScale", reason }]);
      expect(optimizer.iterations).to.equal(5);
      const kept = await optimizer.load(path, { config: "keep" });
      expect(kept.notLoaded).to.deep.equal([]);
      // The scale here, and how long it has been finite: two steps.
      if (reason === none) expect(state(optimizer).slice(2, 4)).to.deep.equal([[2], [16]]);
    }
    const mixed = make("scaled");
    await mixed.optimizer.load(await withMixed());
    expect(state(mixed.optimizer)).to.deep.equal(cases.scaled?.state);
    mixed.train(5, 6);
    await mixed.optimizer.save(await withMixed());
    const again = make("scaled");
    await again.optimizer.load(file("changed.keras"));
    expect(state(again.optimizer)).to.deep.equal(state(mixed.optimizer));
  });

  it("are of AdamW or of Adam with AdamW's decay, which is none by default", async () => {
    await rejectsLater(
      "CHECKPOINT",
      make("plain").optimizer.load(fixture("adam.keras")),
      "weightDecay (weight_decay) is 0 in the",
    );
    const { optimizer } = make("plain");
    await optimizer.load(await withOptimizer((given) => ({ ...given, class_name: "Adam" })));
    expect(optimizer.iterations).to.equal(5);
  });

  it("of other optimizers are refused by name, and what no optimizer has is no bug", async () => {
    const scaler = (inner: unknown) => () => ({ class_name: "LossScaleOptimizer", config: { inner_optimizer: inner } });
    const sgd = { class_name: "SGD", config: { momentum: 0.9, nesterov: false } };
    for (const [change, problem] of [
      [() => sgd, 'its optimizer is "SGD"'],
      [scaler(sgd), 'its optimizer is "SGD"'],
      [scaler({ config: null }), "its optimizer is undefined"],
      [scaler({ class_name: "AdamW", config: null }), "has no configuration"],
      [scaler(null), "no inner_optimizer"],
      [() => ({ class_name: "AdamW", config: null }), "has no configuration"],
      [() => ({ class_name: "AdamW", config: { momentum: 1 } }), "momentum"],
      [() => ({ class_name: "AdamW", config: { use_ema: "yes" } }), '"yes"'],
    ] as const) {
      const path = await withOptimizer(change);
      for (const act of ["load", "save"] as const) {
        const error = await rejectsLater("CHECKPOINT", make("plain").optimizer[act](path), path, problem);
        expect(error).to.be.instanceOf(CheckpointError);
      }
    }
  });
});

describe("files of Keras that hold less than they say, or something else", function () {
  this.timeout(300_000);
  const file = temporaryFolder();

  it("were cut, by however many bytes", async () => {
    const whole = await readFile(fixture("plain.weights.h5"));
    const { length } = whole;
    for (const [size, problem] of [
      [length - 1, `truncated: ${length - 1} of ${length} bytes`],
      [Math.floor(length / 2), `truncated: ${Math.floor(length / 2)} of ${length} bytes`],
      [48, `truncated: 48 of ${length} bytes`],
      [47, "truncated: 47 of at least 48 bytes"],
      [8, "truncated: 8 of at least 48 bytes"],
      [4, "truncated: 4 of at least 48 bytes"],
    ] as const) {
      await writeFile(file("cut.weights.h5"), whole.subarray(0, size));
      const { optimizer } = make("plain");
      for (const act of ["load", "save"] as const) {
        await rejectsLater(
          "CHECKPOINT",
          optimizer[act](file("cut.weights.h5")),
          `cut.weights.h5 at byte ${size}: ${problem}`,
        );
      }
    }
  });

  it("were cut, whatever the version of HDF5's first block", async () => {
    const signature = [...Buffer.from("\x89HDF\r\n\x1a\n", "latin1")];
    const addresses = (bytes: number, end: number) => [0, 7, end].flatMap((n) => [n, ...new Array(bytes - 1).fill(0)]);
    const blocks: [name: string, bytes: number[]][] = [
      ["1", [...signature, 1, 0, 0, 0, 0, 4, 8, 0, ...new Array(12).fill(0), ...addresses(4, 200)]],
      ["2", [...signature, 2, 8, 8, 0, ...addresses(8, 200)]],
      ["3", [...signature, 3, 8, 8, 1, ...addresses(8, 200)]],
    ];
    for (const [version, bytes] of blocks) {
      const check = (length: number) =>
        checkH5Length(new ByteMemory(version, Buffer.concat([Buffer.from(bytes), Buffer.alloc(length)], length)));
      await rejectsLater("CHECKPOINT", check(199), `${version} at byte 199: truncated: 199 of 200 bytes`);
      // Without the signature the same bytes are no such block.
      await checkH5Length(new ByteMemory(version, Buffer.concat([Buffer.alloc(8), Buffer.from(bytes.slice(8))])));
      await check(200);
    }
  });

  it("are of the legacy format", async () => {
    const problem = "Keras' legacy HDF5 model format is not supported: save as .keras or .weights.h5";
    await copyFile(fixture("legacy.h5"), file("legacy.h5"));
    await rejectsLater("CHECKPOINT", make("plain").optimizer.load(fixture("legacy.h5")), problem);
    await rejectsLater("CHECKPOINT", make("plain").optimizer.save(file("legacy.h5")), problem);
  });
});

describe("the process that reads HDF5", function () {
  this.timeout(300_000);

  it("is started without this process' own program and debugger", async () => {
    const { NODE_OPTIONS } = process.env;
    const flags = ["--eval", "process.exit(9)", "--inspect-brk=0"];
    process.execArgv.push(...flags);
    process.env.NODE_OPTIONS = `${NODE_OPTIONS ?? ""} --inspect-brk=0`;
    try {
      (await H5Process.start("any.h5", 60_000)).close();
    } finally {
      process.execArgv.splice(-flags.length);
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = NODE_OPTIONS;
    }
  });
});

describe("hostile HDF5 files", function () {
  this.timeout(300_000);
  const file = temporaryFolder();
  const runs = fuzzRuns(5000);

  it("end with the library's process when it takes too long", async () => {
    await rejectsLater("CHECKPOINT", H5Process.start("slow.h5", 1), "took longer than 1 ms");
  });

  it(`are an error with a code, or are read, and never end this process: ${runs} files`, async function () {
    this.timeout(600_000 + runs * 20);
    const good = await readFile(fixture("plain.weights.h5"));
    let library = await H5Process.start("fuzz.h5");
    let rejected = 0;
    try {
      for (let run = 0; run < runs; run += 1) {
        await writeFile(file("fuzz.h5"), damage(good, new Dice(run)));
        if (!library.alive) library = await H5Process.start("fuzz.h5");
        await library.read(file("fuzz.h5"), [ownGroup, innerGroup], good.length * 2).catch((error: unknown) => {
          if (!(error instanceof CheckpointError)) throw error;
          rejected += 1;
        });
      }
    } finally {
      library.close();
    }
    expect(rejected).to.be.above(runs / 20);
  });

  it("leave the optimizer as it was", async () => {
    const { optimizer, train } = make("plain");
    train(0, 3);
    const before = state(optimizer);
    const good = await readFile(fixture("plain.keras"));
    for (let run = 0; run < 5; run += 1) {
      await writeFile(file("bad.keras"), damage(good, new Dice(run)).subarray(0, -1 - run));
      const error = await optimizer.load(file("bad.keras")).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).to.be.instanceOf(AdamWError);
    }
    expect(state(optimizer)).to.deep.equal(before);
  });
});
