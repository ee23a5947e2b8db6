/** Where each backend of TensorFlow.js keeps its tensors, and the proof that writing there is seen. */

import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { BackendName } from "./settings.js";

interface Backend {
  register(): Promise<unknown>;
  /** The tensor's own memory, not a copy. Valid until the next operation: a WebAssembly heap may grow and move. */
  view(tensor: tf.Tensor): Float32Array;
}

export const backends = {
  wasm: {
    register: () => import("@tensorflow/tfjs-backend-wasm"),
    view: (tensor) => (tf.backend() as BackendWasm).typedArrayFromHeap(tensor) as Float32Array,
  },
  cpu: {
    register: () => import("@tensorflow/tfjs-backend-cpu"),
    // On this backend alone, dataSync() hands out the array that the tensor lives in.
    view: (tensor) => tensor.dataSync<"float32">(),
  },
} satisfies Record<BackendName, Backend>;

/** Chooses the backend, and throws if it does not read weights that were written in place. */
export async function startBackend(name: BackendName): Promise<void> {
  // Silences the advice to install tfjs-node, which does not load on Node ≥ 23.
  tf.enableProdMode();
  await backends[name].register();
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js cannot use its ${name} backend here`);
  if (!seesWrites(name)) throw new Error(`The ${name} backend does not read weights that were written in place`);
}

function seesWrites(name: BackendName): boolean {
  const weight = tf.tidy(() => tf.variable(tf.ones([1, 1])));
  const product = () => tf.tidy(() => tf.matMul<tf.Tensor2D>(weight, tf.ones([1, 1])).dataSync<"float32">()[0]);
  const before = product();
  backends[name].view(weight)[0] = 2;
  const after = product();
  weight.dispose();
  return before === 1 && after === 2;
}
