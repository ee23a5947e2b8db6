/** What steps are measured on: parameters and gradients somewhere, which can be set to what they were. */

import type { ParameterInit } from "../../parameters.js";

export interface StepMemory {
  readonly parameters: readonly ParameterInit[];
  /** The numbers that parameters and gradients start from, in arrays of the host. */
  readonly source: HostMemory;
  /** The parameter's values as they are. */
  values(row: number): Float32Array;
  /** The values every contestant starts from. @throws AbortError */
  reset(signal?: AbortSignal): Promise<void>;
  /** Gradients that a step has zeroed come back: it would be another step without them. */
  restoreGradients(): void;
  /** Leaves nothing of what was worked on in the caches. */
  flushCaches(): void;
}

export interface HostParameter extends ParameterInit {
  readonly shape: readonly number[];
  readonly value: Float32Array;
  readonly gradient: Float32Array;
}

/** In arrays of the host. */
export interface HostMemory extends StepMemory {
  readonly parameters: readonly HostParameter[];
}
