/** Where text goes: data to stdout, everything else to stderr, and what the terminal can show. */

import { styleText } from "node:util";
import { exitCodes } from "./exit.js";

type Style = Parameters<typeof styleText>[0];

/** Lines of data. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** A remark that is no data: progress, warnings, hints. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function warn(text: string): void {
  note(`${paint("yellow", "warning:", process.stderr)} ${text}`);
}

/** Whether a person reads stdout. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

/** The width to keep to; a pipe has none. */
export function columns(stream: NodeJS.WriteStream = process.stdout): number {
  return stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY;
}

/** Colours `text` where the stream shows colours; hasColors() follows NO_COLOR (https://no-color.org). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && stream.hasColors() ? styleText(style, text) : text;
}

/** A reader that has seen enough (`| head`) closes the pipe: that is no error, and nothing is left to do. */
export function endWithClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(exitCodes.done);
    });
  }
}
