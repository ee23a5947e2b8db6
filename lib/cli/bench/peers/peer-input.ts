/** What a peer is given to take part. */

import type { OptionSet } from "../../option-sets.js";
import type { Work } from "../../work.js";
import type { GpuMemory } from "../gpu-memory.js";
import type { BenchMemory } from "../memory.js";

export interface PeerInput {
  readonly work: Work;
  /** Where it is to compute. */
  readonly memory: BenchMemory | GpuMemory;
  readonly python: string;
  readonly set: OptionSet;
  /** Ends what was started. */
  readonly signal: AbortSignal;
}
