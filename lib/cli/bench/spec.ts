/** What a benchmark is asked for. */

import type { Work } from "../work.js";
import type { Build } from "./build.js";
import type { OwnSpec } from "./contestant.js";
import type { PeerName } from "./peers/peers.js";
import type { RoundOptions } from "./rounds.js";

export interface BenchSpec extends RoundOptions {
  readonly works: readonly Work[];
  readonly own: readonly OwnSpec[];
  readonly compare: readonly PeerName[];
  /** Another build, which then takes turns with this one. */
  readonly against: Build | undefined;
  /** Which Python has PyTorch. */
  readonly python: string;
  readonly check: boolean;
}
