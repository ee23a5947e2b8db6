/** The optimizer's state as Keras lists it: the order, the paths and the shapes of `optimizer.variables`. */

import { types } from "node:util";
import type { DType, HostArray } from "./dtypes.js";
import type { Engine } from "./engine.js";
import { AdamWError, invalid } from "./errors.js";
import { arrayName, isArrayOf } from "./host-array.js";
import type { ResolvedOptions } from "./options.js";
import type { SlotName } from "./slots.js";
import { integerFrom, type Kind, nonNegative, parse, parseRecord } from "./validate.js";

/** One entry of `optimizer.variables`. */
export interface Variable {
  /** `<optimizer name>/<parameter with / as _>_<slot>`, as in Keras. */
  readonly path: string;
  /** `[]` for scalars. */
  readonly shape: readonly number[];
  readonly dtype: DType | "int32";
  /** A fresh copy at every access; scalars have one element. */
  readonly value: HostArray | Int32Array;
}

/** Where a variable's value comes from and goes to. */
export interface VariableSource extends Variable {
  /** @throws INVALID_ARGUMENT for a value that the variable cannot have, whatever its type */
  check?(value: HostArray | Int32Array): void;
  write(value: HostArray | Int32Array): void;
}

/** Keras' names of the slots and the order in which it makes them: one line, one pass over the parameters. */
const slotPasses: readonly { wanted(options: ResolvedOptions): boolean; slots: readonly [SlotName, string][] }[] = [
  { wanted: ({ useEma }) => useEma, slots: [["ema", "average"]] },
  {
    wanted: ({ gradientAccumulationSteps }) => Boolean(gradientAccumulationSteps),
    slots: [["accumulator", "gradient_accumulator"]],
  },
  {
    wanted: () => true,
    slots: [
      ["moment1", "momentum"],
      ["moment2", "velocity"],
    ],
  },
  { wanted: ({ amsgrad }) => amsgrad, slots: [["maxMoment2", "velocity_hat"]] },
];

/** A slot that the optimizer keeps for a parameter. */
export interface ParameterSlot<P> {
  readonly parameter: P;
  readonly slot: SlotName;
  readonly kerasName: string;
}

/** Every slot of every trained parameter, in Keras' order. */
export function parameterSlots<P>(options: ResolvedOptions, trained: readonly P[]): ParameterSlot<P>[] {
  return slotPasses
    .filter(({ wanted }) => wanted(options))
    .flatMap(({ slots }) =>
      trained.flatMap((parameter) => slots.map(([slot, kerasName]) => ({ parameter, slot, kerasName }))),
    );
}

function slotVariables(options: ResolvedOptions, engine: () => Engine): VariableSource[] {
  const { trained, slots } = engine();
  return parameterSlots(options, trained).map(({ parameter, slot, kerasName }) => ({
    path: `${options.name}/${parameter.name.replaceAll("/", "_")}_${kerasName}`,
    shape: parameter.shape,
    dtype: slots.dtype,
    get value() {
      return engine().slots.read(parameter, slot);
    },
    write(value) {
      engine().slots.write(parameter, slot, value as HostArray);
    },
  }));
}

/** What a variable is described by, its value read when asked for. */
export function describeVariable(source: VariableSource): Variable {
  const { path, shape, dtype } = source;
  return {
    path,
    shape,
    dtype,
    get value() {
      return source.value;
    },
  };
}

/** A variable of one number. */
export interface Scalar {
  readonly path: string;
  readonly dtype: "float32" | "int32";
  /** What may be written. */
  readonly kind: Kind<number>;
  get(): number;
  set(value: number): void;
}

export function scalarVariable({ path, dtype, kind, get, set }: Scalar): VariableSource {
  return {
    path,
    shape: [],
    dtype,
    get value() {
      return dtype === "int32" ? Int32Array.of(get()) : Float32Array.of(get());
    },
    check(value) {
      parse(kind, value[0], path);
    },
    write(value) {
      set(value[0] as number);
    },
  };
}

/** The learning rate while it is a number. */
export interface NumericRate {
  get(): number;
  set(rate: number): void;
}

/**
 * All of the optimizer's variables, of the engine as it is when one is read or written; Keras has none for a learning
 * rate that is computed.
 */
export function optimizerVariables(
  options: ResolvedOptions,
  engine: () => Engine,
  rate: NumericRate | undefined,
): VariableSource[] {
  const iteration = scalarVariable({
    path: `${options.name}/iteration`,
    dtype: "int32",
    kind: integerFrom(0),
    get: () => engine().steps,
    set: (steps) => {
      engine().steps = steps;
    },
  });
  const learningRate: Scalar | undefined = rate && {
    path: `${options.name}/learning_rate`,
    dtype: "float32",
    kind: nonNegative,
    get: rate.get,
    // The list holds a float32: the double it was rounded from stays if it still rounds to the same.
    set: (value) => {
      if (Math.fround(rate.get()) !== value) rate.set(value);
    },
  };
  return [
    iteration,
    ...(learningRate ? [scalarVariable(learningRate)] : []),
    ...slotVariables(options, engine),
    ...(options.formula === "torch" ? [updateCounts(options, engine)] : []),
  ];
}

/** PyTorch's `step` of every trained parameter, which the bias corrections of its formula go by. */
function updateCounts(options: ResolvedOptions, engine: () => Engine): VariableSource {
  const path = `${options.name}/steps`;
  return {
    path,
    shape: [engine().trained.length],
    dtype: "int32",
    get value() {
      return Int32Array.from(engine().updates);
    },
    check(value) {
      for (const count of value) parse(integerFrom(0), count, path);
    },
    write(value) {
      engine().updates = Float64Array.from(value);
    },
  };
}

const knownKeys = ["path", "shape", "dtype", "value"];

/**
 * Writes a list like `variables` into the optimizer, all of it or, on any error, nothing.
 *
 * @throws INVALID_ARGUMENT, LENGTH_MISMATCH when the list differs from `sources` in count, order, paths, shapes or
 *   types
 */
export function writeVariables(sources: readonly VariableSource[], list: readonly Variable[]): void {
  if (!Array.isArray(list)) throw invalid("weights", "an array like optimizer.variables", list);
  if (list.length !== sources.length) {
    const message = `Expected ${sources.length} variables, as optimizer.variables lists them, but received ${list.length}`;
    throw new AdamWError("LENGTH_MISMATCH", message);
  }
  const values = sources.map((source, i) => checkVariable(source, list[i] as Variable, `weights[${i}]`));
  for (const [i, source] of sources.entries()) source.write(values[i] as HostArray | Int32Array);
}

function checkVariable(source: VariableSource, given: Variable, where: string): HostArray | Int32Array {
  parseRecord(given, where, knownKeys);
  const { path, shape, dtype, value } = given;
  if (path !== source.path) throw invalid(`${where}.path`, `"${source.path}"`, path);
  if (dtype !== source.dtype) throw invalid(`${where}.dtype`, source.dtype, dtype);
  if (!Array.isArray(shape) || shape.join() !== source.shape.join()) {
    throw invalid(`${where}.shape`, `[${source.shape.join(", ")}]`, shape);
  }
  const isRight = dtype === "int32" ? types.isInt32Array(value) : isArrayOf(dtype, value);
  if (!isRight) throw invalid(`${where}.value`, dtype === "int32" ? "an Int32Array" : arrayName(dtype), value);
  const length = source.shape.reduce((a, b) => a * b, 1);
  if (value.length !== length) {
    throw new AdamWError("LENGTH_MISMATCH", `Expected ${length} elements for ${path} but received ${value.length}`);
  }
  source.check?.(value);
  return value;
}
