/** The optimizers that are compared, behind one interface. */

import * as tf from "@tensorflow/tfjs-core";
import { AdamW, type AdamWOptions, schedules } from "../../index.js";
import { backends } from "./backends.js";
import type { Network } from "./network.js";
import type { TrainSettings } from "./settings.js";

export interface Contender {
  /** What computes the steps. */
  readonly device: string;
  /** Applies gradients in the order of the network's weights. */
  apply(gradients: readonly tf.Tensor[]): void;
  /** Of the moving average of the weights that is measured; null: the weights themselves are. */
  readonly emaMomentum: number | null;
  /** Measures with the weights that the optimizer recommends. */
  evaluate(measure: () => number): number;
  dispose(): void;
}

export type OptimizerName = "tfjs" | "same" | "adamw";

export interface Entry {
  readonly name: OptimizerName;
  readonly label: string;
  create(network: Network): Contender;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-7;

/**
 * Over the last fifth of the steps, and 100 at most: an average that still holds the untrained weights at the end of a
 * short run says nothing of the optimizer.
 */
export function emaMomentumFor(steps: number): number {
  return Math.min(0.99, Math.max(0, 1 - 5 / steps));
}

/** The three runs; the first is what the others are measured against. */
export function contenders(options: TrainSettings, stepsPerEpoch: number): readonly Entry[] {
  const learningRate = options["learning-rate"];
  const steps = options.epochs * stepsPerEpoch;
  // TensorFlow.js adds epsilon after the bias correction, as PyTorch does, and knows no weight decay.
  const same: AdamWOptions = { learningRate, weightDecay: 0, beta1, beta2, epsilon, formula: "torch" };
  const warmupSteps = Math.ceil(steps / 20);
  const peak = 5 * learningRate;
  const full: AdamWOptions = {
    learningRate: new schedules.CosineDecay({
      initialLearningRate: peak / 10,
      decaySteps: Math.max(1, steps - warmupSteps),
      warmupTarget: peak,
      warmupSteps,
    }),
    weightDecay: 0.1,
    globalClipnorm: 1,
    useEma: true,
    emaMomentum: emaMomentumFor(steps),
    groups: [{ match: "*/bias", weightDecay: 0 }],
  };
  const entry = (name: OptimizerName, label: string, own: AdamWOptions): Entry => ({
    name,
    label,
    create: (network) => new InPlace(network, own, options),
  });
  return [
    { name: "tfjs", label: "tf.train.adam", create: (network) => new TensorFlowAdam(network, learningRate) },
    entry("same", "AdamW, same settings", same),
    entry("adamw", "AdamW, decay, cosine, clip, EMA", full),
  ];
}

class TensorFlowAdam implements Contender {
  readonly device = tf.getBackend();
  readonly emaMomentum = null;
  readonly #network: Network;
  readonly #optimizer: tf.AdamOptimizer;

  constructor(network: Network, learningRate: number) {
    this.#network = network;
    this.#optimizer = tf.train.adam(learningRate, beta1, beta2, epsilon);
  }

  apply(gradients: readonly tf.Tensor[]): void {
    this.#optimizer.applyGradients(this.#network.weights.map(({ name }, i) => ({ name, tensor: gradients[i]! })));
  }

  evaluate(measure: () => number): number {
    return measure();
  }

  dispose(): void {
    this.#optimizer.dispose();
  }
}

/** AdamW over the memory in which TensorFlow.js keeps weights and gradients: nothing is copied either way. */
class InPlace implements Contender {
  readonly device: string;
  readonly emaMomentum: number | null;
  readonly #network: Network;
  readonly #optimizer: AdamW;
  readonly #view: (tensor: tf.Tensor) => Float32Array;
  #bound: Float32Array[];

  constructor(network: Network, options: AdamWOptions, { backend, device = "auto", threads }: TrainSettings) {
    this.#network = network;
    this.#view = backends[backend].view;
    this.emaMomentum = options.useEma ? options.emaMomentum! : null;
    this.#bound = network.weights.map(this.#view);
    this.#optimizer = new AdamW(options, { device, threads }).build(
      network.weights.map(({ name, shape }, i) => ({ name, shape, value: this.#bound[i]! })),
    );
    this.device = this.#optimizer.device;
  }

  apply(gradients: readonly tf.Tensor[]): void {
    this.#follow();
    this.#optimizer.apply(gradients.map(this.#view));
    this.#optimizer.synchronize();
  }

  evaluate(measure: () => number): number {
    if (this.emaMomentum === null) return measure();
    this.#follow();
    this.#optimizer.swapEma();
    const result = measure();
    this.#follow();
    this.#optimizer.restoreEma();
    return result;
  }

  dispose(): void {
    this.#optimizer.dispose();
  }

  /** A WebAssembly heap that has grown is a new buffer; every view of the old one is empty. */
  #follow(): void {
    const views = this.#network.weights.map(this.#view);
    if (views.every(({ buffer }, i) => buffer === this.#bound[i]!.buffer)) return;
    this.#bound = views;
    this.#optimizer.rebind(views.map((value, i) => ({ name: this.#network.weights[i]!.name, value })));
  }
}
