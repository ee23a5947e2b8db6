/** A training in the real TensorFlow.js beside the same one of ours, and the folders between them. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "chai";
import { AdamW, type AdamWOptions } from "../../lib/index.js";

const shapes: Readonly<Record<string, readonly number[]>> = { "dense/kernel": [5, 3], "dense/bias": [3], scale: [] };
export const names = Object.keys(shapes);
export const settings = { learningRate: 0.01, beta1: 0.85, beta2: 0.99, epsilon: 1e-4 };
export const options: AdamWOptions = { ...settings, formula: "torch", weightDecay: 0 };

export function wave(name: string, seed: number): Float32Array {
  const length = (shapes[name] as number[]).reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 104729 + 13) % 2003) - 1001) / 1024);
}

const gradient = (name: string, step: number) => wave(name, step * 10 + names.indexOf(name));

export function ours(given: AdamWOptions = options, values = names.map(wave)) {
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
export function theirs(values = names.map(wave)) {
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
export function close(
  actual: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
  rounding = 2e-7,
): void {
  for (const [k, list] of expected.entries()) {
    for (let i = 0; i < list.length; i += 1) {
      const [a, b] = [actual[k]?.[i] as number, list[i] as number];
      expect(Math.abs(a - b), `${k}[${i}]: ${a}, expected ${b}`).to.be.at.most(2e-6 * Math.abs(b) + rounding);
    }
  }
}

/** Saves and loads artifacts as TensorFlow.js for Node does; without its native addon there is no such handler. */
export function folderHandler(folder: string): tf.io.IOHandler {
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
export async function artifactsIn(
  folder: string,
): Promise<Required<Pick<tf.io.ModelArtifacts, "weightSpecs" | "weightData">>> {
  const { weightSpecs = [], weightData = [] } = (await folderHandler(folder).load?.()) ?? {};
  return { weightSpecs, weightData };
}

function bytesOf(path: string): ArrayBuffer {
  return new Uint8Array(readFileSync(path)).buffer;
}

/** What docs/checkpoints.md says for state without a model. */
export async function setState(optimizer: tf.Optimizer, folder: string): Promise<tf.NamedTensorMap> {
  const { weightSpecs, weightData } = await artifactsIn(folder);
  const tensors = tf.io.decodeWeights(weightData, weightSpecs);
  const state = weightSpecs.filter(({ group }) => group === "optimizer");
  await optimizer.setWeights(state.map(({ name }) => ({ name, tensor: tensors[name] as tf.Tensor })));
  return tensors;
}

/** What getWeights gives, with or without the group that tfjs-layers writes. */
export async function saveState(optimizer: tf.Optimizer, folder: string, group?: "optimizer"): Promise<void> {
  const { specs, data } = await tf.io.encodeWeights(await optimizer.getWeights(), group);
  await folderHandler(folder).save?.({ weightSpecs: specs, weightData: data });
}

/** Production mode first: without it the backend prints an advertisement. */
export async function startBackend(): Promise<void> {
  tf.enableProdMode();
  await import("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
}
