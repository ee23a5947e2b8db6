/** A progress bar on stderr, whose terminal gets its cursor and its line breaks back however the process ends. */

import { type Options, SingleBar } from "cli-progress";

const signals = ["SIGINT", "SIGTERM"] as const;

/** `format` as cli-progress has it; `payload`: the first values of its fields. */
export function openBar(format: string, total: number, payload: Record<string, string>, options: Options): SingleBar {
  const bar = new SingleBar({
    format,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    stream: process.stderr,
    ...options,
  });
  const giveBack = (signal: NodeJS.Signals) => {
    bar.stop();
    // What comes next is decided by whoever listens too, else by the system.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  for (const signal of signals) process.once(signal, giveBack);
  bar.once("stop", () => {
    for (const signal of signals) process.removeListener(signal, giveBack);
  });
  bar.start(total, 0, payload);
  return bar;
}
