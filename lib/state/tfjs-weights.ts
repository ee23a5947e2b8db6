/** Which weights TensorFlow.js gets: the state of its Adam, and the values of a model or of the parameters. */

import { AdamWError, unexpected } from "../errors.js";
import type { Checkpoint, Tensor } from "./checkpoint.js";
import { readCount } from "./counts.js";
import { CheckpointError } from "./errors.js";
import { slotNames, stepName, tensorName, valueName } from "./names.js";
import { bytesOf, memoryTensor } from "./optimizer-state.js";
import { iterName, slotEnds } from "./tfjs-reader.js";
import { torchGroups } from "./torch-groups.js";

/** A weight as TensorFlow.js names it, and its bytes. */
export interface Weight {
  readonly name: string;
  readonly group?: "optimizer";
  readonly tensor: Tensor;
}

/** TensorFlow.js keeps its count in an int32. */
const mostUpdates = 2 ** 31 - 1;

/** What `tf.train.adam` is made of. @throws INVALID_ARGUMENT */
export function adamConfig(checkpoint: Checkpoint): Record<string, number> {
  const fail = (expected: string, received: string): never => {
    throw new AdamWError(
      "INVALID_ARGUMENT",
      `Expected ${expected} for TensorFlow.js' Adam, which has nothing else, but received ${received}`,
    );
  };
  const [group, ...more] = torchGroups(checkpoint, "TensorFlow.js");
  if (!group) return fail("a parameter that is trained", "none");
  if (more.length > 0) return fail("the same settings for all parameters", `${more.length + 1} different ones`);
  const { lr: learningRate, betas, eps: epsilon, weightDecay, maximize } = group;
  if (weightDecay !== 0) fail("weightDecay 0", String(weightDecay));
  if (maximize) fail("maximize false", "true");
  const [beta1, beta2] = betas;
  return { learningRate, beta1, beta2, epsilon };
}

/**
 * The values: all of the model's own weights, with the checkpoint's values where it has them; without a model the
 * checkpoint's alone.
 *
 * @throws CHECKPOINT for a parameter that the model does not have
 */
export function valueWeights(
  file: string,
  { parameters, tensors }: Checkpoint,
  model: readonly Tensor[] | undefined,
): Weight[] {
  const known = new Map(model?.map((weight) => [weight.name, weight]));
  const values = new Map<string, Tensor>();
  for (const { name, shape, frozen } of parameters) {
    const value = tensors.get(tensorName(name, valueName));
    if (value) values.set(name, value);
    if (!model || (frozen && !value)) continue;
    const weight = known.get(name);
    if (!weight) throw new CheckpointError(file, "the model has no weight of this name", { key: name });
    if (weight.dtype === "F32" && weight.shape.join() === shape.join()) continue;
    const found = `${weight.dtype} [${weight.shape.join(", ")}]`;
    const problem = `the model's weight is ${found} where F32 [${shape.join(", ")}] is expected`;
    throw new CheckpointError(file, problem, { key: name });
  }
  if (!model) return [...values].map(([name, tensor]) => ({ name, tensor }));
  return model.map((weight) => ({ name: weight.name, tensor: values.get(weight.name) ?? weight }));
}

/**
 * The count, every first moment, every second one: setWeights takes them by their order. It is that of the model's
 * weights where there is a model, else that of build.
 *
 * @throws CHECKPOINT, INVALID_ARGUMENT for state that TensorFlow.js' Adam does not have
 */
export async function stateWeights(checkpoint: Checkpoint, model: readonly Tensor[] | undefined): Promise<Weight[]> {
  const { path, tensors, parameters } = checkpoint;
  const trained = parameters.filter(({ frozen }) => !frozen).map(({ name }) => name);
  const places = new Map(model?.map(({ name }, place) => [name, place]));
  const ordered = [...trained].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  const of = (role: keyof typeof slotEnds) =>
    ordered.map((parameter): Weight => {
      const name = tensorName(parameter, role);
      const tensor = tensors.get(name);
      if (tensor?.dtype === "F32") return { name: parameter + slotEnds[role], group: "optimizer", tensor };
      const found = tensor ? `its type is ${tensor.dtype}` : "there is no such tensor";
      throw new CheckpointError(path, `${found} where F32 is expected`, { key: name });
    });
  const moments = [...of("moment1"), ...of("moment2")];
  const others = (Object.keys(slotNames) as (keyof typeof slotNames)[]).filter((slot) => !(slot in slotEnds));
  const more = trained
    .flatMap((name) => others.map((slot) => tensorName(name, slot)))
    .find((name) => tensors.has(name));
  if (more !== undefined)
    throw unexpected("only moments in the state, which is all that TensorFlow.js' Adam has,", more);
  const iter = memoryTensor(iterName, "I32", [], bytesOf(Int32Array.of(await updatesOf(checkpoint, trained))));
  return [{ name: iterName, group: "optimizer", tensor: iter }, ...moments];
}

/** TensorFlow.js counts once for all. @throws CHECKPOINT where parameters have different counts */
async function updatesOf({ path, tensors }: Checkpoint, trained: readonly string[]): Promise<number> {
  let shared: number | undefined;
  for (const parameter of trained) {
    const name = tensorName(parameter, stepName);
    const tensor = tensors.get(name);
    if (!tensor) throw new CheckpointError(path, "there is no such tensor", { key: name });
    const updates = await readCount(path, tensor);
    shared ??= updates;
    if (updates === shared && updates <= mostUpdates) continue;
    const problem = `${updates} updates; TensorFlow.js' Adam has one count for all parameters, which is ${shared} here`;
    throw new CheckpointError(path, problem, { key: name });
  }
  return shared ?? 0;
}
