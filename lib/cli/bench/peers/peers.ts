/** The optimizers and copies that a benchmark can set beside ours. */

import type { Contestant } from "../contestant.js";
import { CopyContestant } from "./copy.js";
import type { PeerInput } from "./peer-input.js";

/** Each makes a contestant, or throws a CommandError that says what to install. */
export const peers = {
  copy: async ({ memory }: PeerInput) => new CopyContestant(memory),
  tfjs: async (input: PeerInput) => (await import("./tfjs.js")).openTfjs(input),
  torch: async (input: PeerInput) => (await import("./torch.js")).openTorch(input),
} satisfies Record<string, (input: PeerInput) => Promise<Contestant>>;

export type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as PeerName[];
