/** Trains one network with one contender and records what happens. */

import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import { median } from "../statistics.js";
import type { Entry } from "./contenders.js";
import { batches, type Digits, type Split } from "./digits.js";
import { Network } from "./network.js";
import type { Progress } from "./progress.js";
import { randomFrom } from "./random.js";
import type { TrainSettings } from "./settings.js";
import type { Status } from "./status.js";

/** The record of one run. */
export interface Run {
  readonly label: string;
  /** What computed the optimizer's steps. */
  readonly device: string;
  readonly stepsPerEpoch: number;
  /** The loss of every batch before its step, in nats. */
  readonly losses: readonly number[];
  /** The accuracy on the test digits after each epoch, and where Ctrl-C ended it, from 0 to 1. */
  readonly accuracies: readonly number[];
  /** Of the moving average of the weights that the accuracies are of; null: they are of the weights. */
  readonly emaMomentum: number | null;
  /** What the optimizer took for each step, in milliseconds. */
  readonly optimizerTimes: readonly number[];
  /** How long the whole run took. */
  readonly seconds: number;
}

export function countSteps(digits: Digits, batch: number): number {
  return Math.ceil(digits.count / batch);
}

export async function run(
  entry: Entry,
  { training, test }: Split,
  options: TrainSettings,
  progress: Progress,
  stop: () => boolean,
): Promise<Run> {
  const { epochs, batch: batchSize, seed } = options;
  const stepsPerEpoch = countSteps(training, batchSize);
  const order = randomFrom(seed, "order");
  const network = new Network(seed);
  const contender = entry.create(network);
  const losses: number[] = [];
  const accuracies: number[] = [];
  const optimizerTimes: number[] = [];
  const status = (epoch: number): Status => ({
    losses,
    epoch,
    loss: mean(losses.slice((epoch - 1) * stepsPerEpoch)),
    accuracy: accuracies.at(-1),
    optimizerTime: median(optimizerTimes.slice((epoch - 1) * stepsPerEpoch)),
  });

  const start = performance.now();
  progress.start(entry.label, epochs, stepsPerEpoch);
  for (let epoch = 1; epoch <= epochs && !stop(); epoch++) {
    for (const batch of batches(training, batchSize, order)) {
      const { loss, gradients } = network.differentiate(batch);
      const before = performance.now();
      contender.apply(gradients);
      optimizerTimes.push(performance.now() - before);
      losses.push(loss);
      tf.dispose(gradients);
      progress.step(() => status(epoch));
      // Everything above is synchronous: without a pause no Ctrl-C would be heard.
      await setImmediate();
      if (stop()) break;
    }
    accuracies.push(contender.evaluate(() => network.accuracy(test)));
    progress.epoch(status(epoch));
  }
  progress.stop();
  contender.dispose();
  network.dispose();
  const seconds = (performance.now() - start) / 1000;
  const { device, emaMomentum } = contender;
  return { label: entry.label, device, stepsPerEpoch, losses, accuracies, emaMomentum, optimizerTimes, seconds };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
