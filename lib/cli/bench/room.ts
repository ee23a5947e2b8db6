/** Whether what takes turns fits into memory, all of it at once: asked before anything is allocated. */

import { AdamW } from "../../adamw.js";
import { deviceFacts } from "../../device.js";
import { CommandError } from "../exit.js";
import { formatBytes } from "../format.js";
import type { Work } from "../work.js";
import type { OwnSpec } from "./contestant.js";
import type { BenchSpec } from "./spec.js";

interface Need {
  /** "memory for the 3 that take turns" */
  readonly what: string;
  readonly bytes: number;
  readonly free: number;
}

const isOnGpu = ({ device }: OwnSpec) => !device.startsWith("cpu");

/** @throws CommandError */
export function checkRoom(work: Work, spec: BenchSpec, freeMemory: number): void {
  for (const { what, bytes, free } of needs(work, spec, freeMemory)) {
    if (bytes <= free) continue;
    const share = Math.ceil(bytes / free);
    throw new CommandError(
      "missing",
      `${work.label} needs ${formatBytes(bytes)} of ${what}, and ${formatBytes(free)} are free; what fits is ${work.label}@1/${share}`,
      { code: "OUT_OF_MEMORY" },
    );
  }
}

function needs(work: Work, { own, compare, against }: BenchSpec, freeMemory: number): Need[] {
  const shared = 2 * Float32Array.BYTES_PER_ELEMENT * work.elements;
  const state = (specs: readonly OwnSpec[]) =>
    specs.reduce((sum, { set }) => sum + AdamW.plan(set.options, work.parameters).state, 0);
  // Builds have memory of their own each; a peer has values, gradients and two moments.
  const [copies, builds] = against ? [2 * own.length, 2] : [1, 1];
  const contestants = own.length * builds + compare.length;
  const host = own.filter((one) => !isOnGpu(one));
  const gpus = [...new Set(own.filter(isOnGpu).map(({ device }) => device))];
  return [
    {
      what: contestants === 1 ? "memory" : `memory for the ${contestants} that take turns`,
      bytes: copies * shared + builds * state(host) + compare.length * 2 * shared,
      free: freeMemory,
    },
    ...gpus.map((gpu) => {
      const { cache, freeMemory: free } = deviceFacts(gpu);
      const mine = own.filter(({ device }) => device === gpu);
      const bytes = (against ? 2 * mine.length : 1) * shared + builds * state(mine) + 2 * cache;
      return { what: `memory on ${gpu}`, bytes, free };
    }),
  ];
}
