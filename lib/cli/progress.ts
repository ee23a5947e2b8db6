/** How far a command over a file is, on stderr; nothing where nobody watches. */

import type { Progress } from "../state/checkpoint.js";
import { formatBytes } from "./format.js";
import { openProgressBar } from "./progress-bar.js";

export interface ProgressLine {
  show(progress: Progress): void;
  /** Takes the line away. */
  end(): void;
}

export function progressLine(label: string): ProgressLine {
  if (!process.stderr.isTTY) return { show: () => {}, end: () => {} };
  const bar = openProgressBar();
  return {
    show({ done, total }) {
      bar.update(total === 0 ? 1 : done / total, label, `${formatBytes(done)} of ${formatBytes(total)}`);
    },
    end: () => bar.stop(),
  };
}
