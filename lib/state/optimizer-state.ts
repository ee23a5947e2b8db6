/** What saving and loading see of an optimizer. */

import { type DType, dtypes, type HostArray } from "../dtypes.js";
import type { Engine } from "../engine.js";
import { AdamWError } from "../errors.js";
import { makeArray } from "../host-array.js";
import type { SerializedObject } from "../keras-object.js";
import { checkMemory, dtypeOf, elementsOf, getElements, type TensorMemory } from "../memory.js";
import type { ResolvedOptions } from "../options.js";
import type { Parameter } from "../parameters.js";
import type { SlotName } from "../slots.js";
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

/** Copies of the parameters' own values. @throws DETACHED, LENGTH_MISMATCH, DISPOSED where one has lost its memory */
export function copiedValues(
  { engine }: OptimizerState,
  copy: (name: string, value: HostArray) => HostArray,
): Tensor[] {
  return engine.parameters.map((parameter) => {
    const name = tensorName(parameter.name, valueName);
    const elements = copy(name, elementsOf(checkValue(parameter)));
    return memoryTensor(name, dtypes[dtypeOf(parameter.value)].stored, parameter.shape, bytesOf(elements));
  });
}

/**
 * The parameters' own values, copied piece by piece: whoever owns the memory can take it away while a piece is on its
 * way. Reading throws as copiedValues() does.
 */
export function liveValues({ engine }: OptimizerState): Tensor[] {
  return engine.parameters.map(liveValue);
}

/** As liveValues, of one parameter. */
export function liveValue(parameter: Parameter): Tensor {
  return liveTensor(tensorName(parameter.name, valueName), dtypeOf(parameter.value), parameter, (to, start) =>
    getElements(checkValue(parameter), to, start),
  );
}

/** The slots, copied from the device piece by piece. */
export function liveSlots(state: OptimizerState): Tensor[] {
  const { slots } = state.engine;
  return stateSlots(state).map(({ name, parameter, slot }) =>
    liveTensor(name, slots.dtype, parameter, (to, start) => slots.read(parameter, slot, to, start)),
  );
}

function checkValue({ value, name, length }: Parameter): TensorMemory {
  return checkMemory(value, `the value of ${name}`, length);
}

function liveTensor(
  name: string,
  dtype: DType,
  { shape, length }: Parameter,
  get: (to: HostArray, start: number) => void,
): Tensor {
  const { stored, bytes } = dtypes[dtype];
  return {
    name,
    dtype: stored,
    shape,
    byteLength: length * bytes,
    read(start, into) {
      const isAligned = into.byteOffset % bytes === 0;
      const elements = isAligned ? elementsIn(into, dtype) : makeArray(dtype, into.byteLength / bytes);
      get(elements, start / bytes);
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
