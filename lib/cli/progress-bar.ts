/** What is running and how long it will take, on stderr: a bar for people, a line per task for logs. */

import { SingleBar } from "cli-progress";
import { columns, note } from "./terminal.js";

export interface ProgressBar {
  /** `done`: from 0 to 1. `detail` changes while the `task` goes on. */
  update(done: number, task: string, detail: string): void;
  stop(): void;
}

/** How often the bar is drawn, per second. */
const drawings = 8;
const narrowest = 60;

/** A bar where stderr is a terminal that is not a CI log. */
export function openProgressBar(): ProgressBar {
  if (!process.stderr.isTTY || process.env.CI) return lines();
  const start = performance.now();
  const width = columns(process.stderr);
  const barsize = Math.max(5, Math.min(30, Math.floor(width / 4)));
  const bar = new SingleBar({
    format: width < narrowest ? "{bar} {left}" : "{bar} {percentage} %  {left}  {what}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize,
    fps: drawings,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: true,
    stream: process.stderr,
  });
  bar.start(1000, 0, { what: "", left: "" });
  const room = width - barsize - 26;
  return {
    update(done, task, detail) {
      const elapsed = (performance.now() - start) / 1000;
      const left = done < 0.02 ? "" : `${formatLeft((elapsed * (1 - done)) / done)} left`;
      bar.update(Math.min(999, Math.round(done * 1000)), {
        what: `${task}: ${detail}`.slice(0, Math.max(0, room)),
        left,
      });
    },
    stop: () => bar.stop(),
  };
}

function lines(): ProgressBar {
  let current = "";
  return {
    update(_done, task) {
      if (task !== current) note(`${task} …`);
      current = task;
    },
    stop() {},
  };
}

/** "1:05" */
function formatLeft(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
