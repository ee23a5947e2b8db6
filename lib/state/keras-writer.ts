/** Puts optimizer state into a `.keras` or `.weights.h5` file that Keras has saved; everything else in it stays. */

import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StopSignal } from "../abort-signal.js";
import { AdamWError } from "../errors.js";
import type { SerializedObject } from "../keras-object.js";
import { isRecord } from "../validate.js";
import { AtomicFile } from "./atomic-file.js";
import { ByteFile } from "./byte-file.js";
import { ByteSink } from "./byte-sink.js";
import { type Checkpoint, type Contents, isScaled, type Tensor } from "./checkpoint.js";
import { compareOptions } from "./config-differences.js";
import { CheckpointError, checkSignal, fileError, isMissing } from "./errors.js";
import { H5Process, type H5Value, type H5Variable } from "./h5-process.js";
import { isKerasArchive, readKerasConfig, weightsName, withWeightsFile } from "./keras-files.js";
import { adamConfig, innerGroup, kerasLayout, layoutOptions, ownGroup, scalerAt } from "./keras-layout.js";
import { readVariables } from "./keras-variables.js";
import { stepName, tensorName } from "./names.js";
import { elementsIn, memoryTensor } from "./optimizer-state.js";
import type { WriteOptions } from "./safetensors-writer.js";
import { readZip, type ZipEntry } from "./zip-reader.js";
import { writeZip, type ZipContent } from "./zip-writer.js";

const zipStart = Buffer.from("PK\x03\x04");

/**
 * The file must be there already: Keras makes it with the model.
 *
 * @throws INVALID_ARGUMENT for another formula than Keras', CHECKPOINT when the file's optimizer has other options or
 *   variables, FILE, ABORTED, MISSING_PACKAGE; what was at `path` is whole then
 */
export async function writeKeras(path: string, checkpoint: Checkpoint, options: WriteOptions): Promise<Contents> {
  checkFormula(checkpoint);
  const source = await openModel(path);
  const folder = await mkdtemp(join(tmpdir(), "fused-adamw-keras-"));
  try {
    const start = Buffer.alloc(zipStart.length);
    await source.read(0, start);
    const entries = start.equals(zipStart) ? await readZip(source) : null;
    if (entries && !isKerasArchive(entries)) throw new CheckpointError(path, "no file that Keras saved");
    if (entries) await checkConfig(path, checkpoint, entries);
    const file = join(folder, weightsName);
    await withWeightsFile(source, entries, (weights) => copyFile(weights, file));
    const written = await update(path, file, checkpoint, options.signal);
    const content = await readFile(file);
    const weights = memoryTensor(weightsName, "U8", [content.length], content);
    const bytes = entries
      ? await writeZip(path, await contentsWith(entries, weights), options)
      : await writeBytes(path, weights, options);
    return { bytes, written };
  } catch (error) {
    throw fileError(path, error);
  } finally {
    await source.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function checkFormula({ optimizer }: Checkpoint): void {
  if (optimizer === null || adamConfig(optimizer).formula !== "torch") return;
  const message = `Expected formula "keras" for Keras' files but received "torch": epsilon stands elsewhere in PyTorch's formula, so Keras would go on differently`;
  throw new AdamWError("INVALID_ARGUMENT", message);
}

async function openModel(path: string): Promise<ByteFile> {
  try {
    return await ByteFile.open(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const problem = `${path} does not exist: Keras has to save the model there first, then the state is put into it`;
    throw new AdamWError("FILE", problem, { cause: (error as Error).cause });
  }
}

function writeBytes(path: string, bytes: Tensor, { signal, progress, beforeRename }: WriteOptions): Promise<number> {
  return AtomicFile.write(
    path,
    async (file) => {
      const sink = new ByteSink(file, 0);
      await sink.append(bytes, () => {
        checkSignal(signal, "Saving");
        progress?.({ done: sink.position, total: bytes.byteLength });
      });
      await sink.flush();
      return bytes.byteLength;
    },
    beforeRename,
  );
}

/** Keras would go on with the file's options, whatever they were here. */
async function checkConfig(
  path: string,
  { optimizer, parameters }: Checkpoint,
  entries: ReadonlyMap<string, ZipEntry>,
): Promise<void> {
  const config = await readKerasConfig(path, entries);
  if (!config || !optimizer) return;
  // compile() leaves the loss scaler of a mixed_float16 model out of the configuration.
  const inner = isRecord(optimizer.config) ? optimizer.config.inner_optimizer : undefined;
  const isInner = config.class_name !== "LossScaleOptimizer" && isRecord(inner);
  const own = isInner ? (inner as unknown as SerializedObject) : optimizer;
  const both = { stored: parameters, own: parameters, newName: (name: string) => name };
  const { differences } = compareOptions(config, own, both, { isPartial: false, isKeras: true, rates: "same" });
  if (differences.length > 0) {
    throw new CheckpointError(path, `other options than the optimizer's: ${differences.join(", ")}`);
  }
}

/** The entries of the archive with other weights. */
async function contentsWith(entries: ReadonlyMap<string, ZipEntry>, weights: Tensor): Promise<ZipContent[]> {
  return Promise.all(
    [...entries.values()].map(async (entry) => ({
      name: entry.name,
      data: entry.name === weightsName ? weights : await entry.bytes(entry.size),
    })),
  );
}

/**
 * Sets the variables in the HDF5 file at `file`, after every one of them was found to fit. The tensors that they hold.
 */
async function update(
  path: string,
  file: string,
  checkpoint: Checkpoint,
  signal: StopSignal | undefined,
): Promise<ReadonlySet<string>> {
  checkSignal(signal, "Saving");
  const library = await H5Process.start(path);
  try {
    const { own, inner } = await readVariables(library, path, file, Number.MAX_SAFE_INTEGER);
    checkSignal(signal, "Saving");
    const { values, written } = await valuesFor(path, checkpoint, inner ?? own);
    checkScale(path, checkpoint, inner !== null);
    const { growthCounter = 0, lossScale = 1 } = checkpoint.counters;
    const scaler: [number, H5Value][] = [
      [scalerAt.growthCounter, Int32Array.of(growthCounter)],
      [scalerAt.lossScale, Float32Array.of(lossScale)],
    ];
    const at =
      (group: string, shift: number) =>
      ([place, value]: [number, H5Value]) => ({
        path: `${group}/${place + shift}`,
        value,
      });
    // Keras saves the variables of a loss scaler's inner optimizer twice and loads both.
    const list = inner
      ? [...scaler.map(at(ownGroup, 0)), ...values.map(at(ownGroup, scalerAt.count)), ...values.map(at(innerGroup, 0))]
      : values.map(at(ownGroup, 0));
    checkSignal(signal, "Saving");
    await library.write(file, list);
    return written;
  } finally {
    library.close();
  }
}

/** A scale that Keras would lose, or go on with as it was. @throws CHECKPOINT */
function checkScale(path: string, checkpoint: Checkpoint, isStored: boolean): void {
  if (isScaled(checkpoint) === isStored) return;
  const problem = isStored
    ? "the file has a loss scale, as with mixed_float16, and the optimizer here has none: put it into a LossScaleOptimizer"
    : "the optimizer here has a loss scale and the file has none: save the model in Keras with a LossScaleOptimizer";
  throw new CheckpointError(path, problem, { key: isStored ? innerGroup : ownGroup });
}

async function valuesFor(
  path: string,
  { optimizer, parameters, tensors, counters, learningRate }: Checkpoint,
  variables: readonly H5Variable[],
): Promise<{ values: [number, H5Value][]; written: ReadonlySet<string> }> {
  if (!optimizer) throw new CheckpointError(path, "the checkpoint does not say which options its optimizer had");
  const names = parameters.filter(({ frozen }) => !frozen).map(({ name }) => name);
  const layout = kerasLayout(path, layoutOptions(path, optimizer), names, variables.length);
  const count = counters.steps ?? 0;
  const values: [number, H5Value][] = [
    [0, variables[0]?.dtype === "I64" ? BigInt64Array.of(BigInt(count)) : Int32Array.of(count)],
  ];
  if ((layout.learningRate !== undefined) !== (learningRate !== null)) {
    const [there, here] = learningRate === null ? ["a number", "a schedule"] : ["a schedule", "a number"];
    const problem = `the learning rate is ${there} in the file and ${here} here`;
    throw new CheckpointError(path, problem, { key: ownGroup });
  }
  if (layout.learningRate !== undefined && learningRate !== null) {
    values.push([layout.learningRate, Float32Array.of(learningRate)]);
  }
  for (const [place, name] of layout.slots) {
    const [tensor, variable] = [tensors.get(name), variables[place]];
    if (!tensor) throw new CheckpointError(path, "the checkpoint has no such tensor", { key: name });
    if (variable?.dtype !== tensor.dtype || variable.shape.join() !== tensor.shape.join()) {
      const found = `${variable?.dtype} [${variable?.shape.join(", ")}]`;
      const problem = `variable ${place} is ${found} where ${tensor.dtype} [${tensor.shape.join(", ")}] is expected`;
      throw new CheckpointError(path, problem, { key: name });
    }
    const bytes = new Uint8Array(tensor.byteLength);
    await tensor.read(0, bytes);
    values.push([place, elementsIn(bytes, "float32")]);
  }
  // Keras counts once for all parameters.
  const steps = names.map((name) => tensorName(name, stepName));
  return { values, written: new Set([...layout.slots.values(), ...steps]) };
}
