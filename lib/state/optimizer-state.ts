/** What saving and loading see of an optimizer. */

import { type DType, dtypes, type HostArray } from "../dtypes.js";
import type { Engine, SlotName } from "../engine.js";
import { AdamWError } from "../errors.js";
import { makeArray } from "../host-array.js";
import type { SerializedObject } from "../keras-object.js";
import { dtypeOf, elementsOf } from "../memory.js";
import type { ResolvedOptions } from "../options.js";
import type { Parameter } from "../parameters.js";
import type { Kind } from "../validate.js";
import { parameterSlots } from "../variables.js";
import type { StoredParameter, Tensor } from "./checkpoint.js";
import { elementCount, dtypeOf as storedDtype } from "./dtypes.js";
import { stepName, tensorName, valueName } from "./names.js";

/** An optimizer between steps. */
export interface OptimizerState {
  readonly engine: Engine;
  readonly options: ResolvedOptions;
  /** The whole optimizer in Keras' JSON, a loss scaler around it included. @throws NOT_SERIALIZABLE */
  config(): SerializedObject;
  /** What the loss scale can be where it is state; null: it is configuration. */
  readonly lossScale: Kind<number> | null;
  /** The learning rate when it is a number; null for schedules and functions. */
  learningRate(): number | null;
  setLearningRate(rate: number): void;
  /**
   * Keeps everything else out, with the reason, until the returned function is called: it can say that the state is
   * incomplete now, after which only loading is allowed, or whole again.
   */
  hold(reason: string): (left?: "whole" | "incomplete") => void;
}

/** A slot of a parameter, under its name in files. */
export interface StateSlot {
  readonly name: string;
  readonly parameter: Parameter;
  readonly slot: SlotName;
}

export function stateSlots({ engine, options }: OptimizerState): StateSlot[] {
  return parameterSlots(options, engine.trained).map(({ parameter, slot }) => ({
    name: tensorName(parameter.name, slot),
    parameter,
    slot,
  }));
}

export function storedParameters({ engine }: OptimizerState): StoredParameter[] {
  const trained = new Set(engine.trained);
  return engine.parameters.map((parameter) => ({
    name: parameter.name,
    shape: parameter.shape,
    frozen: !trained.has(parameter),
  }));
}

/** The bytes an array covers. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A tensor that is in memory. */
export function memoryTensor(name: string, dtype: string, shape: readonly number[], memory: Uint8Array): Tensor {
  const byteLength = elementCount(shape) * (storedDtype(dtype)?.bytes ?? 0);
  const read = (start: number, into: Uint8Array) => into.set(memory.subarray(start, start + into.length));
  return { name, dtype, shape, byteLength, memory, read };
}

/** The counts of updates, one scalar tensor for each trained parameter. */
export function stepTensors({ engine }: OptimizerState): Tensor[] {
  const { updates } = engine;
  return engine.trained.map(({ name }, row) =>
    memoryTensor(tensorName(name, stepName), "I64", [], bytesOf(BigInt64Array.of(BigInt(updates[row] as number)))),
  );
}

/** The parameters' own values, where they are; a copy of them, if `copy` is given. */
export function valueTensors(
  { engine }: OptimizerState,
  copy: (name: string, value: HostArray) => HostArray = (_, value) => value,
): Tensor[] {
  return engine.parameters.map((parameter) => {
    const name = tensorName(parameter.name, valueName);
    const { stored } = dtypes[dtypeOf(parameter.value)];
    return memoryTensor(name, stored, parameter.shape, bytesOf(copy(name, elementsOf(parameter.value))));
  });
}

/** A slot where it is: `lent`, or read from the device piece by piece. */
export function liveTensor(
  { engine }: OptimizerState,
  { name, parameter, slot }: StateSlot,
  lent: HostArray | undefined,
): Tensor {
  const dtype = engine.layout.state;
  const { stored, bytes } = dtypes[dtype];
  if (lent) return memoryTensor(name, stored, parameter.shape, bytesOf(lent));
  return {
    name,
    dtype: stored,
    shape: parameter.shape,
    byteLength: parameter.length * bytes,
    read(start, into) {
      const isAligned = into.byteOffset % bytes === 0;
      const elements = isAligned ? elementsIn(into, dtype) : makeArray(dtype, into.byteLength / bytes);
      engine.readSlot(parameter, slot, elements, start / bytes);
      if (elements.buffer !== into.buffer) into.set(bytesOf(elements));
    },
  };
}

/** Bytes as the elements they hold; they must be aligned. */
export function elementsIn<D extends DType>(bytes: Uint8Array, dtype: D): HostArray<D> {
  type Over = new (buffer: ArrayBufferLike, offset: number, length: number) => HostArray<D>;
  const ArrayOver = dtypes[dtype].array as Over;
  return new ArrayOver(bytes.buffer, bytes.byteOffset, bytes.byteLength / dtypes[dtype].bytes);
}

/** The configuration, or null where a function or class in it has no name; a save must not fail for that. */
export function configOf(state: OptimizerState): SerializedObject | null {
  try {
    return state.config();
  } catch (error) {
    if (error instanceof AdamWError && error.code === "NOT_SERIALIZABLE") return null;
    throw error;
  }
}
