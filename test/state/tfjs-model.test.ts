import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";
import { artifactsIn, close, folderHandler, options, ours, settings, startBackend, wave } from "./tfjs-peer.js";

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
    await rejectsLater("CHECKPOINT", optimizer.load(file("model")), "norm/moving_mean, norm/moving_variance");
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
