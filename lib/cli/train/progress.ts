/** The progress of the runs, on stderr: a bar for people, a line per epoch for logs. */

import { SingleBar } from "cli-progress";
import { sparkline } from "../sparkline.js";
import type { Status } from "./status.js";

export interface Progress {
  start(label: string, epochs: number, stepsPerEpoch: number): void;
  /** After every step; the status is a function because most steps draw nothing. */
  step(status: () => Status): void;
  /** After the evaluation at the end of an epoch. */
  epoch(status: Status): void;
  stop(): void;
}

/** How often the bar is drawn, per second. */
const drawings = 10;
const curveWidth = 12;

/** A bar only where one can be drawn and is wanted. https://no-color.org */
export function openProgress(): Progress {
  const { NO_COLOR, CI } = process.env;
  return process.stderr.isTTY && !NO_COLOR && !CI ? new Bar() : new Lines();
}

function describe({ epoch, loss, accuracy, optimizerTime }: Status, epochs: number): Record<string, string> {
  return {
    epoch: `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    loss: `loss ${loss.toFixed(4)}`,
    test: `test ${accuracy === undefined ? "–" : `${(100 * accuracy).toFixed(2)} %`}`,
    time: `${optimizerTime.toFixed(3)} ms/step`,
  };
}

class Lines implements Progress {
  #label = "";
  #epochs = 0;

  start(label: string, epochs: number): void {
    this.#label = label;
    this.#epochs = epochs;
  }

  step(): void {}

  epoch(status: Status): void {
    const parts = Object.values(describe(status, this.#epochs));
    process.stderr.write(`${[this.#label, ...parts].join("  ")}\n`);
  }

  stop(): void {}
}

class Bar implements Progress {
  #bar: SingleBar | undefined;
  #epochs = 0;
  #drawn = 0;
  #steps = 0;

  start(label: string, epochs: number, stepsPerEpoch: number): void {
    this.#epochs = epochs;
    this.#steps = 0;
    this.#bar = new SingleBar({
      format: `${label.padEnd(31)} {bar} {curve} {epoch}  {loss}  {test}  {time}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 12,
      hideCursor: true,
      fps: drawings,
      stream: process.stderr,
    });
    this.#bar.start(epochs * stepsPerEpoch, 0, { curve: "", epoch: "", loss: "", test: "", time: "" });
  }

  step(status: () => Status): void {
    this.#steps += 1;
    const now = performance.now();
    if (now - this.#drawn < 1000 / drawings) return;
    this.#drawn = now;
    this.#show(status());
  }

  epoch(status: Status): void {
    this.#show(status);
  }

  #show(status: Status): void {
    const curve = sparkline(status.losses, curveWidth).padEnd(curveWidth);
    this.#bar?.update(this.#steps, { curve, ...describe(status, this.#epochs) });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
