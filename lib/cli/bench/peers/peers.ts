/** The optimizers and copies that a benchmark can set beside ours. */

import type { Contestant } from "../contestant.js";
import type { PeerInput } from "./peer-input.js";

interface Peer {
  /** Whether it can compute on a GPU beside ours there; else it computes where it can. */
  readonly onGpus: boolean;
  /** @throws CommandError that says what to install */
  open(input: PeerInput): Promise<Contestant>;
}

export const peers = {
  copy: { onGpus: true, open: async (input) => (await import("./copy.js")).openCopy(input) },
  tfjs: { onGpus: false, open: async (input) => (await import("./tfjs.js")).openTfjs(input) },
  torch: { onGpus: true, open: async (input) => (await import("./torch.js")).openTorch(input) },
} satisfies Record<string, Peer>;

export type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as PeerName[];
