/** One line on stderr that says how far a long command is; nothing where nobody watches. */

import type { Progress } from "../state/checkpoint.js";
import { formatBytes } from "./format.js";

const width = 30;
/** Often enough to look alive. */
const everyMs = 100;

export interface ProgressLine {
  show(progress: Progress): void;
  /** Takes the line away. */
  end(): void;
}

export function progressLine(label: string): ProgressLine {
  const { stderr } = process;
  if (!stderr.isTTY) return { show: () => {}, end: () => {} };
  let last = 0;
  return {
    show({ done, total }) {
      const now = performance.now();
      if (now - last < everyMs) return;
      last = now;
      const filled = total === 0 ? width : Math.floor((width * done) / total);
      const bar = "█".repeat(filled) + "░".repeat(width - filled);
      stderr.write(`\r${label} ${bar} ${formatBytes(done)} of ${formatBytes(total)}  `);
    },
    end() {
      if (last > 0) stderr.write("\r\u001b[K");
    },
  };
}
