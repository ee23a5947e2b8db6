/** Contestant TensorFlow.js: tf.train.adam, which has no weight decay, on the backend named. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { hyper } from "../cases.js";
import { makeTensors } from "../inputs.js";
import { serve, time } from "../protocol.js";

const [backend = "cpu"] = process.argv.slice(2);
tf.enableProdMode();
const { learningRate, beta1, beta2, epsilon } = hyper;
let optimizer: tf.Optimizer;
let variables: tf.Variable[] = [];
let gradients: { name: string; tensor: tf.Tensor }[] = [];

await serve({
  async build(_work, lengths) {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
    await tf.ready();
    optimizer = tf.train.adam(learningRate, beta1, beta2, epsilon);
    const tensors = makeTensors(lengths);
    variables = tensors.map(({ value }, row) => tf.variable(tf.tensor1d(value), true, `tensor${row}`));
    gradients = tensors.map(({ gradient }, row) => ({ name: `tensor${row}`, tensor: tf.tensor1d(gradient) }));
    return `TensorFlow.js ${tf.version_core} ${tf.getBackend()}`;
  },
  // Reading a value waits for nothing: both backends compute when they are called.
  run: (_threads, steps) => time(() => tf.tidy(() => optimizer.applyGradients(gradients)), steps),
  sample: (row, index) => variables[row]?.dataSync()[index] ?? Number.NaN,
});
