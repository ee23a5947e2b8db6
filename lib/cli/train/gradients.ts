/**
 * The derivatives of the operations in the network. The bundle of tfjs-core that Node loads registers none, and the
 * derivative of a matrix product that comes with the sources takes the wasm backend's slow path for transposed
 * operands.
 */

import * as tf from "@tensorflow/tfjs-core";

const derivatives: tf.GradConfig[] = [
  {
    kernelName: tf.BatchMatMul,
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => tf.matMul(only(dy), tf.transpose(b!)),
      b: () => tf.matMul(tf.transpose(a!), only(dy)),
    }),
  },
  {
    // Only as the network uses it: a column of biases added to every column.
    kernelName: tf.Add,
    gradFunc: (dy) => ({ a: () => only(dy), b: () => tf.sum(only(dy), 1, true) }),
  },
  {
    kernelName: tf.Relu,
    inputsToSave: ["x"],
    gradFunc: (dy, [x]) => ({ x: () => tf.mul(only(dy), tf.step(x!)) }),
  },
];

for (const derivative of derivatives) tf.registerGradient(derivative);

function only(dy: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return dy as tf.Tensor;
}

/** Mean cross-entropy, in nats, of one column of logits per example against one-hot columns. */
export function crossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Scalar {
  const examples = labels.shape[1]!;
  const loss = tf.customGrad((x, save) => {
    const logProbabilities = tf.sub(x as tf.Tensor, tf.logSumExp(x as tf.Tensor, 0, true));
    (save as tf.GradSaveFunc)([logProbabilities]);
    return {
      value: tf.div(tf.sum(tf.mul(labels, logProbabilities)), -examples),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, tf.div(tf.sub(tf.exp(saved!), labels), examples)),
    };
  });
  return loss(logits) as tf.Scalar;
}
