/** `devices`: what a step can run on here, and why something cannot. */

import type { Command } from "commander";
import { devices } from "../../device.js";
import { renderTable } from "../table.js";
import { print, printJson } from "../terminal.js";

export function define(command: Command): void {
  command
    .description("Lists every device of this build, best first; a missing one says why.")
    .action((options: { json?: true }) => {
      const list = devices();
      if (options.json) printJson({ devices: list });
      else print(renderDevices(list));
    });
}

function renderDevices(list: ReturnType<typeof devices>): string {
  return renderTable(
    [
      { title: "device", cell: ({ name }) => name },
      {
        title: "available",
        cell: ({ available }) => (available ? "yes" : "no"),
        style: ({ available }) => (available ? "green" : "dim"),
      },
      {
        title: "what it is, or why not",
        wraps: true,
        cell: ({ model, reason }) => model || reason,
        style: () => "dim",
      },
    ],
    list,
  );
}
