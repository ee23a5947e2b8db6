/** The classifier 784-256-10, in TensorFlow.js. */

import * as tf from "@tensorflow/tfjs-core";
import { classes, type Digits, pixels } from "./digits.js";
import { crossEntropy } from "./gradients.js";
import { type Random, randomFrom } from "./random.js";

const layers = [
  { name: "hidden", inputs: pixels, outputs: 256 },
  { name: "output", inputs: 256, outputs: classes },
];

/**
 * Examples are columns and weights stand on the left of every product. XNNPACK, under the wasm backend, packs the right
 * operand into a layout of its own and keeps the packed copy for as long as the tensor lives: weights there that are
 * written in place would go on being used as they were at first.
 */
export class Network {
  readonly weights: tf.Variable[];

  /** Glorot's uniform weights (2010) and no biases, as a Dense layer of Keras has. */
  constructor(seed: number) {
    const random = randomFrom(seed, "weights");
    this.weights = layers.flatMap(({ name, inputs, outputs }) => [
      variable(`${name}/kernel`, [outputs, inputs], glorot(inputs, outputs, random)),
      variable(`${name}/bias`, [outputs, 1], new Float32Array(outputs)),
    ]);
  }

  #logits(images: tf.Tensor): tf.Tensor {
    const [hiddenKernel, hiddenBias, outputKernel, outputBias] = this.weights as tf.Tensor[];
    const hidden = tf.relu(tf.add(tf.matMul(hiddenKernel!, images), hiddenBias!));
    return tf.add(tf.matMul(outputKernel!, hidden), outputBias!);
  }

  /** The mean loss of a batch and its gradients, in the order of the weights; the caller disposes of them. */
  differentiate(batch: Digits): { loss: number; gradients: tf.Tensor[] } {
    const images = columns(batch);
    const labels = oneHot(batch);
    const { value, grads } = tf.variableGrads(() => crossEntropy(this.#logits(images), labels), this.weights);
    const loss = value.dataSync<"float32">()[0]!;
    tf.dispose([images, labels, value]);
    return { loss, gradients: this.weights.map(({ name }) => grads[name]!) };
  }

  /** The part of the digits that are classified correctly. */
  accuracy(digits: Digits): number {
    const guesses = tf.tidy(() => tf.argMax(this.#logits(columns(digits)), 0).dataSync<"int32">());
    return digits.labels.filter((label, i) => label === guesses[i]).length / digits.count;
  }

  dispose(): void {
    tf.dispose(this.weights);
  }
}

/** Inside a tidy the initial tensor goes, and the variable is left as the only owner of its memory. */
function variable(name: string, shape: [number, number], values: Float32Array): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor2d(values, shape), true, name));
}

function glorot(inputs: number, outputs: number, random: Random): Float32Array {
  const limit = Math.sqrt(6 / (inputs + outputs));
  return Float32Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * limit);
}

function columns({ images, count }: Digits): tf.Tensor {
  return tf.tidy(() => tf.transpose(tf.tensor2d(images, [count, pixels])));
}

/** Not tf.oneHot(): on the wasm backend it writes the integer 1 where the float is asked for. */
function oneHot({ labels, count }: Digits): tf.Tensor {
  const values = new Float32Array(classes * count);
  for (const [i, label] of labels.entries()) values[label * count + i] = 1;
  return tf.tensor2d(values, [classes, count]);
}
