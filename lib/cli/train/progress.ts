/** The progress of the runs, on stderr: a bar for people, a line per epoch for logs. */

import type { SingleBar } from "cli-progress";
import { sparkline } from "../sparkline.js";
import { columns, note } from "../terminal.js";
import { openBar } from "../terminal-bar.js";
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
const barWidth = 12;
/** Of the longest name of a contender. */
const labelWidth = 31;

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
    time: `median ${optimizerTime.toFixed(3)} ms/step`,
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

/** What the bar shows, in this order; the lowest ranks are left out last where the terminal is narrow. */
const pieces = [
  { field: "label", rank: 1 },
  { field: "bar", rank: 5 },
  { field: "curve", rank: 2 },
  { field: "epoch", rank: 0 },
  { field: "loss", rank: 0 },
  { field: "test", rank: 3 },
  { field: "time", rank: 4 },
] as const;

const gap = "  ";

/** The fields that fit into a line of `width`, as cli-progress writes them. */
function formatFor(width: number, widths: Readonly<Record<(typeof pieces)[number]["field"], number>>): string {
  const shown = new Set<string>();
  let room = width;
  for (const { field } of pieces.toSorted((a, b) => a.rank - b.rank)) {
    if (widths[field] + gap.length > room) continue;
    room -= widths[field] + gap.length;
    shown.add(field);
  }
  return pieces
    .filter(({ field }) => shown.has(field))
    .map(({ field }) => `{${field}}`)
    .join(gap);
}

class Bar implements Progress {
  #bar: SingleBar | undefined;
  #epochs = 0;
  #drawn = 0;
  #steps = 0;

  start(label: string, epochs: number, stepsPerEpoch: number): void {
    this.#epochs = epochs;
    this.#steps = 0;
    const longest = describe({ losses: [], epoch: epochs, loss: 1, accuracy: 1, optimizerTime: 10 }, epochs);
    const lengths = Object.fromEntries(Object.entries(longest).map(([field, text]) => [field, text.length]));
    const widths = { label: labelWidth, bar: barWidth, curve: curveWidth, epoch: 0, loss: 0, test: 0, time: 0 };
    const format = formatFor(columns(process.stderr), { ...widths, ...lengths });
    if (!format.includes("{label}")) note(label);
    const payload = { label: label.padEnd(labelWidth), curve: "", epoch: "", loss: "", test: "", time: "" };
    this.#bar = openBar(format, epochs * stepsPerEpoch, payload, { barsize: barWidth, fps: drawings });
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
