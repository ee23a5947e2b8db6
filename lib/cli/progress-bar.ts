/** What is running and how long it will take, on stderr: a bar for people, a line per task for logs. */

import { columns, note } from "./terminal.js";
import { openBar } from "./terminal-bar.js";

export interface ProgressBar {
  /** `done`: from 0 to 1. `detail` changes while the `task` goes on. */
  update(done: number, task: string, detail: string): void;
  stop(): void;
}

/** How often the bar is drawn, per second. */
const drawings = 8;
const steps = 1000;
/** Before this part is done, the time left is a guess. */
const soonest = 0.01;
const narrowest = 60;

/** A bar where stderr is a terminal that is not a CI log. */
export function openProgressBar(): ProgressBar {
  if (!process.stderr.isTTY || process.env.CI) return lines();
  const start = performance.now();
  const width = columns(process.stderr);
  const barsize = Math.max(5, Math.min(30, Math.floor(width / 4)));
  const isNarrow = width < narrowest;
  const format = isNarrow ? "{bar} {left}{what}" : "{bar} {percentage} %  {left}{what}";
  const options = { barsize, fps: drawings, clearOnComplete: true, stopOnComplete: true };
  const bar = openBar(format, steps, { what: "", left: "" }, options);
  return {
    update(done, task, detail) {
      const elapsed = (performance.now() - start) / 1000;
      const left = done < soonest ? "" : `${formatLeft((elapsed * (1 - done)) / done)} left  `;
      const room = width - barsize - left.length - (isNarrow ? 2 : 9);
      const what = `${task}: ${detail}`.slice(0, Math.max(0, room));
      bar.update(Math.min(steps - 1, Math.round(done * steps)), { what, left });
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
