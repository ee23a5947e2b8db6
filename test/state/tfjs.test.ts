import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { expect } from "chai";
import { AdamW, type AdamWOptions } from "../../lib/index.js";
import { rejectsLater } from "./rejects-later.js";
import { temporaryFolder } from "./temporary.js";

const shapes: Readonly<Record<string, readonly number[]>> = { "dense/kernel": [5, 3], "dense/bias": [3], scale: [] };
const names = Object.keys(shapes);
const settings = { learningRate: 0.01, beta1: 0.85, beta2: 0.99, epsilon: 1e-4 };
const options: AdamWOptions = { ...settings, formula: "torch", weightDecay: 0 };

function wave(name: string, seed: number): Float32Array {
  const length = (shapes[name] as number[]).reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 104729 + 13) % 2003) - 1001) / 1024);
}

const gradient = (name: string, step: number) => wave(name, step * 10 + names.indexOf(name));

function ours(given: AdamWOptions = options, values = names.map(wave)) {
  const optimizer = new AdamW(given);
  optimizer.build(
    names.map((name, i) => ({ name, shape: shapes[name] as number[], value: values[i] as Float32Array })),
  );
  const train = (from: number, to: number) => {
    for (let step = from; step < to; step += 1) optimizer.apply(names.map((name) => gradient(name, step)));
  };
  return { optimizer, values, train };
}

/** tf.train.adam over variables of the same names and values. */
function theirs(values = names.map(wave)) {
  const { learningRate, beta1, beta2, epsilon } = settings;
  const optimizer = tf.train.adam(learningRate, beta1, beta2, epsilon);
  const variables = names.map((name, i) =>
    tf.variable(tf.tensor((values[i] as Float32Array).slice(), shapes[name] as number[]), true, name),
  );
  const train = (from: number, to: number) => {
    for (let step = from; step < to; step += 1) {
      const gradients = names.map((name) => ({
        name,
        tensor: tf.tensor(gradient(name, step), shapes[name] as number[]),
      }));
      optimizer.applyGradients(gradients);
    }
  };
  return {
    optimizer,
    train,
    values: () => variables.map((variable) => variable.dataSync() as Float32Array),
    dispose: () => variables.map((variable) => variable.dispose()),
  };
}

/** Within a few roundings of float32: the two compute the same in another order. */
function close(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[], rounding = 2e-7): void {
  for (const [k, list] of expected.entries()) {
    for (let i = 0; i < list.length; i += 1) {
      const [a, b] = [actual[k]?.[i] as number, list[i] as number];
      expect(Math.abs(a - b), `${k}[${i}]: ${a}, expected ${b}`).to.be.at.most(2e-6 * Math.abs(b) + rounding);
    }
  }
}

/** Saves and loads artifacts as TensorFlow.js for Node does; without its native addon there is no such handler. */
function folderHandler(folder: string): tf.io.IOHandler {
  return {
    async save(artifacts) {
      mkdirSync(folder, { recursive: true });
      const { weightSpecs: weights = [], weightData, ...rest } = artifacts;
      const json = { ...rest, weightsManifest: [{ paths: ["./weights.bin"], weights }] };
      writeFileSync(join(folder, "model.json"), JSON.stringify(json));
      writeFileSync(join(folder, "weights.bin"), Buffer.from(tf.io.CompositeArrayBuffer.join(weightData)));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
    },
    load: () => {
      const json = JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as tf.io.ModelJSON;
      return tf.io.getModelArtifactsForJSON(json, async (manifest) => [
        manifest.flatMap(({ weights }) => weights),
        manifest.flatMap(({ paths }) => paths.map((name) => bytesOf(join(folder, name)))),
      ]);
    },
  };
}

/** The artifacts in a folder. */
async function artifactsIn(
  folder: string,
): Promise<Required<Pick<tf.io.ModelArtifacts, "weightSpecs" | "weightData">>> {
  const { weightSpecs = [], weightData = [] } = (await folderHandler(folder).load?.()) ?? {};
  return { weightSpecs, weightData };
}

function bytesOf(path: string): ArrayBuffer {
  return new Uint8Array(readFileSync(path)).buffer;
}

/** What docs/checkpoints.md says for state without a model. */
async function setState(optimizer: tf.Optimizer, folder: string): Promise<tf.NamedTensorMap> {
  const { weightSpecs, weightData } = await artifactsIn(folder);
  const tensors = tf.io.decodeWeights(weightData, weightSpecs);
  const state = weightSpecs.filter(({ group }) => group === "optimizer");
  await optimizer.setWeights(state.map(({ name }) => ({ name, tensor: tensors[name] as tf.Tensor })));
  return tensors;
}

/** What getWeights gives, with or without the group that tfjs-layers writes. */
async function saveState(optimizer: tf.Optimizer, folder: string, group?: "optimizer"): Promise<void> {
  const { specs, data } = await tf.io.encodeWeights(await optimizer.getWeights(), group);
  await folderHandler(folder).save?.({ weightSpecs: specs, weightData: data });
}

/** Production mode first: without it the backend prints an advertisement. */
async function startBackend(): Promise<void> {
  tf.enableProdMode();
  await import("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
}

describe("states of the real TensorFlow.js", () => {
  const file = temporaryFolder();
  let adam: ReturnType<typeof theirs>;

  before(startBackend);
  beforeEach(() => {
    adam = theirs();
  });
  afterEach(() => adam.dispose());

  for (const group of [undefined, "optimizer"] as const) {
    it(`go on here as there, ${group ? "as tfjs-layers saves them" : "as getWeights gives them"}`, async () => {
      adam.train(0, 5);
      await saveState(adam.optimizer, file(`from-${group}`), group);
      const { optimizer, values, train } = ours(
        options,
        adam.values().map((value) => value.slice()),
      );
      const report = await optimizer.load(file(`from-${group}`));
      expect([report.format, optimizer.iterations, report.loaded.length]).to.deep.equal(["tfjs", 5, 9]);
      const saved = await adam.optimizer.getWeights();
      const moment = saved.find(({ name }) => name === "dense/kernel/v");
      const { value } = optimizer.variables.find(({ path }) => path.endsWith("dense_kernel_velocity")) ?? {};
      expect(value).to.deep.equal(moment?.tensor.dataSync());
      train(5, 12);
      adam.train(5, 12);
      close(values, adam.values());
    });
  }

  it("are written so that setWeights goes on there as here, in one shard or in many", async () => {
    const { optimizer, values, train } = ours();
    train(0, 5);
    for (const shardBytes of [undefined, 24]) {
      const folder = file(`to-${shardBytes}`);
      const { bytes } = await optimizer.save(folder, { format: "tfjs", parameters: true, shardBytes });
      const files = readdirSync(folder);
      expect(files.length).to.equal(shardBytes ? 1 + Math.ceil(232 / 24) : 2);
      expect(bytes).to.equal(files.reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0));
      const tensors = await setState(adam.optimizer, folder);
      close(
        names.map((name) => tensors[name]?.dataSync() ?? []),
        values,
      );
    }
    adam.dispose();
    adam = theirs(values);
    await setState(adam.optimizer, file("to-24"));
    train(5, 12);
    adam.train(5, 12);
    close(adam.values(), values);
  });

  it("differ when they are not loaded, so that closeness says something", () => {
    adam.train(0, 5);
    const { values, train } = ours(
      options,
      adam.values().map((value) => value.slice()),
    );
    adam.train(5, 6);
    train(5, 6);
    expect(() => close(values, adam.values())).to.throw("expected");
  });

  it("come back from our own files with everything we saved", async () => {
    const first = ours();
    first.train(0, 4);
    const saved = { parameters: true, metadata: { epoch: "3" } };
    await first.optimizer.save(file("own/model.json"), saved);
    // The second save replaces the first, whose shards go.
    await first.optimizer.save(file("own/model.json"), { ...saved, shardBytes: 100 });
    expect(readdirSync(file("own")).filter((name) => name.endsWith(".bin"))).to.have.length(3);
    const second = ours(
      options,
      names.map((name) => wave(name, 99)),
    );
    const { metadata } = await second.optimizer.load(file("own"));
    expect(metadata).to.deep.equal({ epoch: "3" });
    first.train(4, 9);
    second.train(4, 9);
    expect(second.values).to.deep.equal(first.values);
  });

  it("want the options that TensorFlow.js' Adam has", async () => {
    adam.train(0, 1);
    await saveState(adam.optimizer, file("options"));
    await rejectsLater(
      "CHECKPOINT",
      ours({ ...settings }).optimizer.load(file("options")),
      "formula",
      "weightDecay is",
    );
    const target = { format: "tfjs" } as const;
    const rejected: [AdamWOptions, string][] = [
      [{}, 'formula "torch"'],
      [{ weightDecay: 0.1 }, "weightDecay 0"],
      [{ maximize: true }, "maximize false"],
      [{ amsgrad: true }, "max_exp_avg_sq"],
      [{ useEma: true }, "dense/kernel.ema"],
      [{ groups: [{ match: "scale", beta1: 0.5 }] }, "2 different ones"],
    ];
    for (const [changed, expected] of rejected) {
      const given = expected.startsWith("formula") ? {} : { ...options, ...changed };
      await rejectsLater("INVALID_ARGUMENT", ours(given).optimizer.save(file("no"), target), expected);
    }
    await rejectsLater("INVALID_ARGUMENT", ours().optimizer.save(file("no"), { ...target, keep: 2 }), "keep");
  });

  it("are not written where parameters have different counts", async () => {
    const { optimizer } = ours();
    optimizer.apply({ scale: Float32Array.of(1) });
    await rejectsLater("CHECKPOINT", optimizer.save(file("no.json")), '"scale.step"', "1 updates");
  });
});

describe("a LayersModel of the real TensorFlow.js", () => {
  const file = temporaryFolder();
  let inputs: tf.Tensor;
  let labels: tf.Tensor;

  before(async () => {
    await startBackend();
    inputs = tf.tensor2d(wave("dense/kernel", 4).slice(0, 12), [4, 3]);
    labels = tf.tensor2d(wave("dense/kernel", 5).slice(0, 8), [4, 2]);
  });

  function makeModel(): layers.LayersModel {
    const model = layers.sequential();
    model.add(layers.layers.dense({ units: 4, inputShape: [3], activation: "tanh", name: "hidden" }));
    model.add(layers.layers.batchNormalization({ name: "norm" }));
    model.add(layers.layers.dense({ units: 2, name: "out" }));
    const { learningRate, beta1, beta2, epsilon } = settings;
    for (const [i, weight] of model.trainableWeights.entries()) {
      const { length } = weight.read().dataSync();
      weight.write(tf.tensor(wave("dense/kernel", i).slice(0, length), weight.shape as number[]));
    }
    model.compile({ optimizer: tf.train.adam(learningRate, beta1, beta2, epsilon), loss: "meanSquaredError" });
    return model;
  }

  /** Gradients depend on the weights here, and a difference in one step grows in the next. */
  const feedback = 1e-6;

  async function trainModel(model: layers.LayersModel, steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) await model.trainOnBatch(inputs, labels);
  }

  /** Our optimizer over the model's trainable weights, its gradients by the model's own graph. */
  function optimizerOf(model: layers.LayersModel) {
    const trained = model.trainableWeights;
    const values = trained.map((weight) => weight.read().dataSync().slice() as Float32Array);
    const optimizer = new AdamW(options).build(
      trained.map((weight, i) => ({
        name: weight.originalName,
        shape: weight.shape as number[],
        value: values[i] as Float32Array,
      })),
    );
    const assign = () => {
      for (const [i, weight] of trained.entries()) {
        weight.write(tf.tensor(values[i] as Float32Array, weight.shape as number[]));
      }
    };
    const train = (steps: number) => {
      for (let step = 0; step < steps; step += 1) {
        assign();
        const loss = () => {
          const output = model.apply(inputs, { training: true }) as tf.Tensor;
          return tf.mean(tf.square(tf.sub(output, labels))) as tf.Scalar;
        };
        const { grads } = tf.variableGrads(
          loss,
          trained.map((weight) => weight.read() as tf.Variable),
        );
        optimizer.apply(trained.map(({ name }) => grads[name]?.dataSync() as Float32Array));
      }
      assign();
    };
    return { optimizer, values, train };
  }

  it("is gone on with here, and loadLayersModel goes on with what is saved into it", async () => {
    const original = makeModel();
    await trainModel(original, 3);
    await original.save(folderHandler(file("model")), { includeOptimizer: true });
    const copy = await layers.loadLayersModel(folderHandler(file("model")));
    const { optimizer, values, train } = optimizerOf(copy);
    // Moving averages of the model are no parameters of the optimizer.
    await rejectsLater("CHECKPOINT", optimizer.load(file("model")), "norm/moving_mean.param");
    const { loaded, notLoaded } = await optimizer.load(file("model"), { mode: "partial" });
    expect(loaded).to.include("hidden/kernel.param");
    expect(notLoaded.map(({ name }) => name)).to.deep.equal(["norm/moving_mean.param", "norm/moving_variance.param"]);
    train(4);
    await trainModel(original, 4);
    close(
      values,
      original.trainableWeights.map((weight) => weight.read().dataSync()),
      feedback,
    );

    await optimizer.save(file("model/model.json"), { parameters: true });
    const json = JSON.parse(readFileSync(file("model/model.json"), "utf8")) as tf.io.ModelJSON;
    expect(json.trainingConfig?.loss).to.equal("mean_squared_error");
    const again = await layers.loadLayersModel(folderHandler(file("model")));
    expect(again.optimizer.iterations).to.equal(7);
    await trainModel(again, 4);
    train(4);
    close(
      again.trainableWeights.map((weight) => weight.read().dataSync()),
      values,
      feedback,
    );
  });

  it("keeps its own weights when only the state is saved into it, and must have the parameters", async () => {
    const { optimizer } = ours();
    const model = makeModel();
    await trainModel(model, 1);
    await model.save(folderHandler(file("other")), { includeOptimizer: true });
    const state = optimizerOf(model);
    state.train(1);
    await state.optimizer.save(file("other"), { format: "tfjs" });
    const { weightSpecs, weightData } = await artifactsIn(file("other"));
    const tensors = tf.io.decodeWeights(weightData, weightSpecs);
    const kept = weightSpecs.filter(({ group }) => group === undefined);
    expect(kept.map(({ name }) => name)).to.deep.equal(model.weights.map(({ originalName }) => originalName));
    expect(tensors["norm/moving_mean"]?.dataSync()).to.not.deep.equal(new Float32Array(4));
    await rejectsLater("CHECKPOINT", optimizer.save(file("other"), { format: "tfjs" }), "the model has no weight");
    const wrong = new AdamW(options).build([{ name: "out/bias", value: new Float32Array(3) }]);
    await rejectsLater("CHECKPOINT", wrong.save(file("other"), { format: "tfjs" }), "F32 [3] is expected");
    await makeModel().save(folderHandler(file("plain")));
    await rejectsLater("CHECKPOINT", optimizer.save(file("plain/model.json")), "includeOptimizer");
    await rejectsLater("CHECKPOINT", optimizer.load(file("plain")), "includeOptimizer");
  });
});
