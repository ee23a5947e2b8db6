/** Types of elements that memory can have. */

import type { Kind } from "./validate.js";

/** What an element is. */
export type DType = "float32";

/** Bytes of an element, and what NumPy's array interface calls it. */
export const dtypes: Readonly<Record<DType, { readonly bytes: number; readonly typestr: string }>> = {
  float32: { bytes: 4, typestr: "<f4" },
};

export const dtypeKind: Kind<DType> = {
  expected: `one of ${Object.keys(dtypes).join(", ")}`,
  accepts: (value) => typeof value === "string" && Object.hasOwn(dtypes, value),
};
