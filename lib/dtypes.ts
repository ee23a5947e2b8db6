/** Types of elements that memory can have: one row each, in which JavaScript finds everything that depends on it. */

import { either } from "./errors.js";
import type { Kind } from "./validate.js";

interface Row {
  /** Of an element. */
  readonly bytes: number;
  /** What NumPy's array interface calls it. */
  readonly typestr: string;
  /** What the safetensors format calls it. */
  readonly stored: string;
  /**
   * The arrays that hold it in the host's memory, its bits where JavaScript has no such numbers; no two types share
   * one.
   */
  readonly array: Float32ArrayConstructor | Uint16ArrayConstructor;
}

export const dtypes = {
  float32: { bytes: 4, typestr: "<f4", stored: "F32", array: Float32Array },
} as const satisfies Record<string, Row>;

/** What an element is. */
export type DType = keyof typeof dtypes;

/** The arrays of the host that hold such elements. */
export type HostArray<D extends DType = DType> = (typeof dtypes)[D]["array"]["prototype"];

export const dtypeNames = Object.keys(dtypes) as DType[];

export const dtypeKind: Kind<DType> = {
  expected: either(dtypeNames),
  accepts: (value) => typeof value === "string" && Object.hasOwn(dtypes, value),
};
