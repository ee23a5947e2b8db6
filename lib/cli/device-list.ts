/** Devices as they are typed: names, kinds, "auto" or "all". */

import { type Command, Option } from "commander";
import { type DeviceInfo, devices } from "../device.js";
import { closest } from "../spelling.js";
import { CommandError, wrongValue } from "./exit.js";

/** `--devices`, for `parseDevices`; `--device` is the same, as commands with one device call it. The last one counts. */
export function addDevicesOption(command: Command, description: string, usual: string): Command {
  return command
    .option("--devices <list>", description, usual)
    .addOption(new Option("--device <list>").hideHelp())
    .on("option:device", (value: string) => command.setOptionValueWithSource("devices", value, "cli"));
}

/**
 * The names of available devices, in the order given, each once.
 *
 * @throws CommandError with each missing one's reason
 */
export function parseDevices(text: string, option: string, list: readonly DeviceInfo[] = devices()): string[] {
  const usable = list.filter(({ available }) => available);
  const chosen = text.split(",").flatMap((word) => {
    const wanted = word.trim();
    if (wanted === "all") return usable;
    const named = list.filter(({ name, kind }) => wanted === "auto" || wanted === kind || wanted === name);
    const best = named.find(({ available }) => available);
    if (best) return [best];
    // "cuda:1" is no mistake of spelling where there is one GPU or none.
    const alike = named.length > 0 ? named : list.filter(({ kind }) => new RegExp(`^${kind}:\\d+$`).test(wanted));
    if (alike.length > 0) throw notHere(wanted, alike);
    const names = list.map(({ name }) => name);
    throw wrongValue(option, `auto, all, cpu, or one of ${names.join(", ")}`, wanted, closest(wanted, names));
  });
  return [...new Set(chosen.map(({ name }) => name))];
}

function notHere(wanted: string, alike: readonly DeviceInfo[]): CommandError {
  const lines = alike.map(({ name, available, reason }) => `  ${name}: ${available ? "is there" : reason}`);
  return new CommandError("missing", `"${wanted}" is not available here:\n${lines.join("\n")}`, { code: "NO_DEVICE" });
}
