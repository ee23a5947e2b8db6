/** What is told of GPUs: what they are, and what their clocks did. */

import type { ClockRecord } from "./clocks.js";
import { isEmulated } from "./emulated.js";
import type { BenchDocument } from "./result.js";

/** One line per GPU: what it is, and its clocks in all work. */
export function describeGpus({ gpus, clocks, clocksMissing }: BenchDocument): [string, string][] {
  return gpus.flatMap(({ device, model }): [string, string][] => {
    const mine = clocks.filter((record) => record.device === device && record.samples > 0);
    const seen = mine.length > 0 ? describeClocks(mine) : `unknown: ${clocksMissing || "no sample of this GPU"}`;
    return [[device, model], ...(isEmulated({ model }) ? [] : [[`clocks of ${device}`, seen] as [string, string]])];
  });
}

function describeClocks(records: readonly ClockRecord[]): string {
  const range = (key: "processor" | "memory" | "temperature" | "power", unit: string) => {
    const list = records.flatMap((record) => record[key] ?? []);
    if (list.length === 0) return [];
    const [low, high] = [Math.round(Math.min(...list)), Math.round(Math.max(...list))];
    return [`${low === high ? low : `${low} to ${high}`} ${unit}`];
  };
  const samples = records.reduce((sum, record) => sum + record.samples, 0);
  const held = records.flatMap(({ work, samples: all, held: reasons }) =>
    Object.entries(reasons).map(([name, count]) => `${name} in ${count} of ${all} samples of ${work}`),
  );
  const parts = [
    ...range("processor", "MHz"),
    ...range("memory", "MHz of the memory"),
    ...range("temperature", "°C"),
    ...range("power", "W"),
  ];
  const end = held.length === 0 ? `nothing held them down in ${samples} samples` : `held down by ${held.join(", ")}`;
  return `${parts.join(", ")}; ${end}`;
}
