/** The list of commands. Only the one that runs is loaded, and with it the libraries it needs. */

import type { Command } from "commander";

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** The module that adds arguments, options and the action. */
  load(): Promise<{ define(command: Command): void }>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: "devices",
    summary: "list the devices, and why one is missing",
    load: () => import("./commands/devices.js"),
  },
  {
    name: "build",
    summary: "compile the native addon of this installation",
    load: () => import("./commands/build.js"),
  },
  {
    name: "doctor",
    summary: "describe this installation and machine, and try every device",
    load: () => import("./commands/doctor.js"),
  },
  {
    name: "plan",
    summary: "bytes that an optimizer takes, before anything is allocated",
    load: () => import("./commands/plan.js"),
  },
  {
    name: "inspect",
    summary: "show what a checkpoint holds: options, counts, tensors, whether all is finite",
    load: () => import("./commands/inspect.js"),
  },
  {
    name: "verify",
    summary: "check every byte of a checkpoint; the exit status says the result",
    load: () => import("./commands/verify.js"),
  },
  {
    name: "convert",
    summary: "write a checkpoint in another format or under other names",
    load: () => import("./commands/convert.js"),
  },
  {
    name: "bench",
    summary: "measure steps beside what the memory allows, and beside others",
    load: () => import("./commands/bench.js"),
  },
  {
    name: "compare",
    summary: "judge whether a step became slower, with a confidence interval",
    load: () => import("./commands/compare.js"),
  },
  {
    name: "selftest",
    summary: "check that every device leaves the same bits",
    load: () => import("./commands/selftest.js"),
  },
  {
    name: "train",
    summary: "train a classifier of handwritten digits and compare optimizers",
    load: () => import("./commands/train.js"),
  },
];
