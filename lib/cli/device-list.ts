/** Devices as they are typed: names, kinds, "auto" or "all". */

import { type DeviceInfo, devices } from "../device.js";
import { closest } from "../validate.js";
import { CommandError, wrongValue } from "./exit.js";

/** The names of available devices, in the order given, each once. @throws CommandError with each missing one's reason */
export function parseDevices(text: string, option: string, list: readonly DeviceInfo[] = devices()): string[] {
  const usable = list.filter(({ available }) => available);
  const chosen = text.split(",").flatMap((word) => {
    const wanted = word.trim();
    if (wanted === "all") return usable;
    const named = list.filter(({ name, kind }) => wanted === "auto" || wanted === kind || wanted === name);
    if (named.length === 0) {
      const names = list.map(({ name }) => name);
      throw wrongValue(option, `auto, all, cpu, or one of ${names.join(", ")}`, wanted, closest(wanted, names));
    }
    const best = named.find(({ available }) => available);
    if (best) return [best];
    const reasons = named.map(({ name, reason }) => `  ${name}: ${reason}`);
    throw new CommandError("missing", `"${wanted}" is not available here:\n${reasons.join("\n")}`, {
      code: "NO_DEVICE",
    });
  });
  return [...new Set(chosen.map(({ name }) => name))];
}
